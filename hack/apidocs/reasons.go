package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"

	"guestclustering.io/operator/api/v1alpha1"
)

// comments are the comments of the constants of a Go file, by the constants' names.
func comments(path string) (map[string]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		return nil, fmt.Errorf("reading comments: %w", err)
	}
	found := map[string]string{}
	ast.Inspect(file, func(node ast.Node) bool {
		if spec, ok := node.(*ast.ValueSpec); ok {
			found[spec.Names[0].Name] = spec.Doc.Text()
		}
		return true
	})
	return found, nil
}

func writeConditions(b *strings.Builder, types []v1alpha1.ConditionType, comments map[string]string) {
	b.WriteString("\n### Conditions\n\n| Type | |\n|---|---|\n")
	for _, conditionType := range types {
		fmt.Fprintf(b, "| `%s` | %s |\n", conditionType, meaning("Condition"+string(conditionType), comments))
	}
}

// actors are the sections of the reasons: who acts, and what that means for the reader.
var actors = []struct {
	actor v1alpha1.Actor
	title string
}{
	{v1alpha1.ActorOperator, "The operator acts, or waits for what comes by itself"},
	{v1alpha1.ActorUser, "The owner of the object acts"},
	{v1alpha1.ActorPlatformTeam, "The platform team acts"},
	{v1alpha1.ActorNobody, "Nobody has to act, or nobody can tell yet"},
}

func writeReasons(b *strings.Builder, comments map[string]string) {
	b.WriteString("\n## Reasons\n\nThe reasons of conditions and events are one closed set. Each says who acts.\n")
	for _, a := range actors {
		fmt.Fprintf(b, "\n### %s\n\n| Reason | |\n|---|---|\n", a.title)
		for _, reason := range v1alpha1.Reasons(a.actor) {
			fmt.Fprintf(b, "| `%s` | %s |\n", reason, meaning("Reason"+string(reason), comments))
		}
	}
}

// meaning is a constant's comment without its name.
func meaning(name string, comments map[string]string) string {
	text := oneLine(comments[name])
	text = strings.TrimPrefix(text, name+" ")
	text = strings.TrimPrefix(strings.TrimPrefix(text, "means that "), "means ")
	text = strings.TrimPrefix(text, "is ")
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
