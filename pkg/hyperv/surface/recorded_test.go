package surface_test

import (
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
	raw, err := os.ReadFile(verdictsFile)
	if err != nil {
		t.Fatal(err)
	}
	var made []generated
	var verdicts []powershell.Verdict
	for text := range bytes.Lines(raw) {
		var line verdictLine
		var batch hostagent.Batch
		if err := json.Unmarshal(text, &line); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(line.Batch, &batch); err != nil {
			t.Fatal(err)
		}
		made = append(made, generated{label: line.Label, build: line.Build, batch: batch})
		verdicts = append(verdicts, powershell.Verdict{Calls: line.Calls})
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
