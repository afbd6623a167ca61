package surface_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/test/powershell"
)

const verdictsFile = "testdata/verdicts.json"

// verdictLine is one line of the file: a case, and what PowerShell made of its calls.
type verdictLine struct {
	Label string                `json:"label"`
	Build int                   `json:"build"`
	Batch json.RawMessage       `json:"batch"`
	Calls []powershell.Received `json:"calls"`
}

func recorded(t *testing.T) ([]generated, []powershell.Verdict) {
	t.Helper()
	file, err := os.Open(verdictsFile)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var made []generated
	var verdicts []powershell.Verdict
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line verdictLine
		var batch hostagent.Batch
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(line.Batch, &batch); err != nil {
			t.Fatal(err)
		}
		made = append(made, generated{label: line.Label, build: line.Build, batch: batch})
		verdicts = append(verdicts, powershell.Verdict{Calls: line.Calls})
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return made, verdicts
}

func record(t *testing.T, made []generated, verdicts []powershell.Verdict) {
	t.Helper()
	var out bytes.Buffer
	for i, m := range made {
		batch, err := hostagent.EncodeBatch(m.batch)
		if err != nil {
			t.Fatal(err)
		}
		line, err := json.Marshal(verdictLine{Label: m.label, Build: m.build, Batch: batch, Calls: strip(verdicts[i].Calls)})
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(line, '\n'))
	}
	if err := os.WriteFile(verdictsFile, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
