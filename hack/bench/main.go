// Command bench runs the benchmarks of every package, prints what they print, and writes bench.json: one
// entry per benchmark, with its package, its iterations and its values by unit.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
)

const output = "bench.json"

// A result is one line of `go test -bench`.
type result struct {
	Package    string `json:"package"`
	Name       string `json:"name"`
	Iterations int64  `json:"iterations"`
	// Values are by unit as printed: ns/op, B/op, allocs/op and those that a benchmark reports itself.
	Values map[string]float64 `json:"values"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var text bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", "test", "-run=^$", "-bench=.", "-benchmem", "-timeout=30m", "./...")
	cmd.Stdout, cmd.Stderr = io.MultiWriter(os.Stdout, &text), os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("running the benchmarks: %w", err)
	}
	results, err := parse(&text)
	if err != nil {
		return fmt.Errorf("reading what go test printed: %w", err)
	}
	fmt.Print("\n" + waysToHosts(results))
	encoded, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the results: %w", err)
	}
	if err := os.WriteFile(output, append(encoded, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing the results: %w", err)
	}
	return nil
}

// A name ends with the number of processors, when that is more than one.
var benchmark = regexp.MustCompile(`^Benchmark(\S+?)(?:-\d+)?\s+(\d+)\s+(.+)$`)

// parse reads the text form of benchmarks. Lines of any other kind are passed over.
func parse(text io.Reader) ([]result, error) {
	results := []result{}
	pkg := ""
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "pkg: "); ok {
			pkg = name
			continue
		}
		match := benchmark.FindStringSubmatch(lines.Text())
		if match == nil {
			continue
		}
		one, err := parseResult(match)
		if err != nil {
			return nil, fmt.Errorf("line %q: %w", lines.Text(), err)
		}
		one.Package = pkg
		results = append(results, one)
	}
	return results, lines.Err()
}

func parseResult(match []string) (result, error) {
	iterations, err := strconv.ParseInt(match[2], 10, 64)
	if err != nil {
		return result{}, err
	}
	fields := strings.Fields(match[3])
	values := map[string]float64{}
	for i := 0; i+1 < len(fields); i += 2 {
		value, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return result{}, err
		}
		values[fields[i+1]] = value
	}
	return result{Name: match[1], Iterations: iterations, Values: values}, nil
}
