package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// closed are fields whose inside is Kubernetes's own and documented there.
var closed = map[string]string{
	"status.conditions":               "list of Condition",
	"spec.allowedNamespaces.selector": "LabelSelector",
}

// writeFields writes the table of the fields below a field at the root.
func writeFields(b *strings.Builder, root *apiextensionsv1.JSONSchemaProps, name string) {
	schema := root.Properties[name]
	fmt.Fprintf(b, "\n### %s\n\n%s\n\n| Field | Type | Default | |\n|---|---|---|---|\n", name, description(name, &schema))
	writeBelow(b, name, &schema)
}

func writeBelow(b *strings.Builder, path string, schema *apiextensionsv1.JSONSchemaProps) {
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		property := schema.Properties[name]
		field := path + "." + name
		required := ""
		if slices.Contains(schema.Required, name) && strings.HasPrefix(path, "spec") {
			required = ", required"
		}
		fmt.Fprintf(b, "| `%s` | %s%s | %s | %s |\n", field, typeOf(field, &property), required, defaultOf(&property), description(name, &property))
		switch {
		case closed[field] != "":
		case property.Type == "array":
			writeBelow(b, field+"[]", property.Items.Schema)
		default:
			writeBelow(b, field, &property)
		}
	}
}

func typeOf(field string, schema *apiextensionsv1.JSONSchemaProps) string {
	switch {
	case closed[field] != "":
		return closed[field]
	case schema.XIntOrString:
		return "quantity"
	case len(schema.Enum) > 0:
		values := make([]string, len(schema.Enum))
		for i, value := range schema.Enum {
			values[i] = "`" + strings.Trim(string(value.Raw), `"`) + "`"
		}
		return strings.Join(values, ", ")
	case schema.Type == "array":
		return "list"
	default:
		return schema.Type
	}
}

func defaultOf(schema *apiextensionsv1.JSONSchemaProps) string {
	if schema.Default == nil || schema.Type == "object" {
		return ""
	}
	return "`" + strings.Trim(string(schema.Default.Raw), `"`) + "`"
}

// description is the field's comment without the name that it begins with.
func description(name string, schema *apiextensionsv1.JSONSchemaProps) string {
	text := oneLine(schema.Description)
	for _, start := range []string{name + " is ", name + " are ", name + " "} {
		if rest, found := strings.CutPrefix(text, start); found {
			return strings.ToUpper(rest[:1]) + rest[1:]
		}
	}
	return text
}

// oneLine is a comment as the cell of a table; what is in angle brackets would be taken for HTML.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return strings.NewReplacer("<", "&lt;", ">", "&gt;", "|", `\|`).Replace(text)
}

// writeRules writes the sentences with which the API server refuses, by the field that they name.
func writeRules(b *strings.Builder, root *apiextensionsv1.JSONSchemaProps) {
	b.WriteString("\n### What is refused\n\n| Field | Message |\n|---|---|\n")
	writeRulesBelow(b, "", root)
}

func writeRulesBelow(b *strings.Builder, path string, schema *apiextensionsv1.JSONSchemaProps) {
	for _, rule := range schema.XValidations {
		fmt.Fprintf(b, "| `%s` | %s |\n", strings.TrimPrefix(path+rule.FieldPath, "."), oneLine(rule.Message))
	}
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		property := schema.Properties[name]
		writeRulesBelow(b, path+"."+name, &property)
	}
	if schema.Items != nil {
		writeRulesBelow(b, path+"[]", schema.Items.Schema)
	}
}
