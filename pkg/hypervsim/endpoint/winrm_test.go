package endpoint

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"guestclustering.io/operator/pkg/hypervsim"
	"guestclustering.io/operator/pkg/hypervsim/remoting"
)

// winRM serves the world's hosts over WinRM.
func winRM(t *testing.T, w *hypervsim.World) WinRM {
	t.Helper()
	s, err := remoting.Start(t.Context(), w, remoting.Options{HTTPS: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestTroubleWithWinRM(t *testing.T) {
	w := quick(t)
	base := "http://" + serveWith(t, w, winRM(t, w)) + "/v1/control/winrm/"
	for _, step := range []struct {
		does, method, path, body string
		status                   int
		answer                   string
	}{
		{"a host without trouble", http.MethodGet, "HV01", "", http.StatusOK, `{"shells":0,"requests":0,"faults":[]}`},
		{"a fault", http.MethodPost, "hv01/faults", `{"kind":"Slow","action":"Send","count":2,"delay":"1.5s"}`, http.StatusNoContent, ""},
		{"it is there", http.MethodGet, "hv01", "", http.StatusOK, `"faults":[{"kind":"Slow","action":"Send","count":2,"delay":"1.5s"}]`},
		{"on no other host", http.MethodGet, "hv02", "", http.StatusOK, `"faults":[]`},
		{"it is cleared", http.MethodDelete, "hv01/faults", "", http.StatusNoContent, ""},
		{"it is gone", http.MethodGet, "hv01", "", http.StatusOK, `"faults":[]`},
		{"a restart", http.MethodPost, "hv01/restart", "", http.StatusNoContent, ""},
		{"no such kind", http.MethodPost, "hv01/faults", `{"kind":"Slowly"}`, http.StatusBadRequest, `no fault \"Slowly\": want one of Busy, `},
		{"no such delay", http.MethodPost, "hv01/faults", `{"kind":"Slow","delay":"2"}`, http.StatusBadRequest, `delay is \"2\"; write it as 1.5s or 4m`},
		{"a misspelt field", http.MethodPost, "hv01/faults", `{"kind":"Slow","times":1}`, http.StatusBadRequest, `unknown field \"times\"`},
		{"no such host", http.MethodGet, "hv99", "", http.StatusNotFound, `host \"hv99\" does not serve WinRM; start hypervsim with --winrm`},
	} {
		status, answer := request(t, step.method, base+step.path, step.body)
		if status != step.status || !strings.Contains(answer, step.answer) {
			t.Errorf("%s: %d %s, want %d %s", step.does, status, answer, step.status, step.answer)
		}
	}
}
