// Command test runs go test with the arguments given, prints what go test prints, and at its end what was skipped and why.
// It exits as go test does.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"slices"
	"strings"
)

func main() {
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "test:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func run(args []string) (code int, err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, args...)...)
	// go test ends its tests itself when it is interrupted, and then says how far they came.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	r := newReport(os.Stdout)
	readErr := r.read(out)
	err = cmd.Wait()
	r.printSkipped()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Exited() {
		return exit.ExitCode(), readErr
	}
	return 0, errors.Join(readErr, err)
}

// event is a line of `go test -json` ("go doc test2json").
type event struct {
	Action, Package, Test, Output string
}

// report prints events as go test does without -v: of a package that passes one line, of one that fails what its failed tests
// said.
type report struct {
	out io.Writer
	// said is what each test, or the package under the name "", has said, by package.
	said map[string]map[string][]string
	// skipped are the tests by the reason for which they were skipped.
	skipped map[string][]string
}

func newReport(out io.Writer) *report {
	return &report{out: out, said: map[string]map[string][]string{}, skipped: map[string][]string{}}
}

func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			r.take(line)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) take(line []byte) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil || e.Action == "" {
		// What go test itself says is no event.
		_, _ = r.out.Write(line)
		return
	}
	switch e.Action {
	case "build-output":
		r.print(e.Output)
	case "output":
		r.keep(e)
	case "skip":
		r.skip(e)
	case "fail":
		r.fail(e)
	case "pass":
		r.pass(e)
	}
}

func (r *report) print(lines ...string) {
	for _, line := range lines {
		_, _ = io.WriteString(r.out, line)
	}
}

// keep keeps what a test says until it is known how it ends. That it begins is no news.
func (r *report) keep(e event) {
	if strings.HasPrefix(e.Output, "=== ") {
		return
	}
	if r.said[e.Package] == nil {
		r.said[e.Package] = map[string][]string{}
	}
	r.said[e.Package][e.Test] = append(r.said[e.Package][e.Test], e.Output)
}

func (r *report) pass(e event) {
	if e.Test != "" {
		delete(r.said[e.Package], e.Test)
		return
	}
	r.printSummary(e.Package)
}

// printSummary prints the last line that a package has said, which says how it went.
func (r *report) printSummary(pkg string) {
	if said := r.said[pkg][""]; len(said) > 0 {
		r.print(said[len(said)-1])
	}
	delete(r.said, pkg)
}

// fail prints what a test has said; of a package, that of all that did not come to an end too.
func (r *report) fail(e event) {
	if e.Test != "" {
		r.print(r.said[e.Package][e.Test]...)
		delete(r.said[e.Package], e.Test)
		return
	}
	said := r.said[e.Package]
	for _, test := range slices.Sorted(maps.Keys(said)) {
		if test != "" {
			r.print(said[test]...)
		}
	}
	r.print(said[""]...)
	delete(r.said, e.Package)
}

// place is where a test says something.
var place = regexp.MustCompile(`^\s*\S+\.go:\d+: `)

func (r *report) skip(e event) {
	if e.Test == "" {
		r.printSummary(e.Package)
		return
	}
	var reason []string
	for _, line := range r.said[e.Package][e.Test] {
		if !strings.HasPrefix(strings.TrimSpace(line), "--- ") {
			reason = append(reason, strings.TrimSpace(place.ReplaceAllString(line, "")))
		}
	}
	text := strings.Join(reason, " ")
	r.skipped[text] = append(r.skipped[text], e.Package+" "+e.Test)
	delete(r.said[e.Package], e.Test)
}

func (r *report) printSkipped() {
	if len(r.skipped) == 0 {
		return
	}
	r.print("\nSkipped:\n")
	for _, reason := range slices.Sorted(maps.Keys(r.skipped)) {
		tests := r.skipped[reason]
		if reason == "" {
			reason = "(no reason given)"
		}
		of := tests[0]
		if more := len(tests) - 1; more > 0 {
			of += fmt.Sprintf(" and %d more", more)
		}
		r.print("  " + reason + "\n      " + of + "\n")
	}
}
