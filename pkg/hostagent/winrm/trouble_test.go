package winrm

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/session"
	"guestclustering.io/operator/pkg/hypervsim/wsman"
)

const folderPath = `C:\ClusterStorage\Gold\trouble`

func change() hostagent.Batch {
	return hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{{
		ID: "new", Cmdlet: "New-StampedFolder", Parameters: hostagent.Parameters{"Path": hostagent.Text(folderPath), "Stamp": hostagent.Text("{}")},
	}}}
}

func reading() hostagent.Batch {
	return hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{{ID: "host", Cmdlet: "Get-VMHost", Select: []string{"Name"}}}}
}

// A connection cut, or an answer that is none, in the middle of a changing call, at every stage and in every way to log in:
// the class says what is known, the change ran at most once, the next session works, and no shell is left.
func TestTroubleInTheMiddleOfAChange(t *testing.T) {
	a := newAuthority(t)
	kinds := []wsman.FaultKind{wsman.DropBefore, wsman.DropAfter, wsman.Half, wsman.Garbage, wsman.Oversize, wsman.Empty}
	for _, name := range []string{"Basic", "NTLM", "NTLM sealed"} {
		for _, kind := range kinds {
			for _, action := range []wsman.Action{wsman.Send, wsman.Receive} {
				t.Run(name+"/"+string(action)+"/"+string(kind), func(t *testing.T) {
					r := newCluster(t, a, modes(a)[name](t), wsman.Limits{})
					d := r.driver(t)
					agent := r.open(t, d, "hv01")
					r.hosts["hv01"].AddFault(wsman.Fault{Kind: kind, Action: action, Count: 1, Bytes: 64 << 20})
					// The Receive that waits already is not hit: this one brings an answer first.
					if action == wsman.Receive {
						_, _ = agent.Run(t.Context(), reading())
					}
					_, err := agent.Run(t.Context(), change())
					wantHonest(t, err, r.changes.Load())
					_ = agent.Close()
					again := r.open(t, d, "hv01")
					if _, err := again.Run(t.Context(), reading()); err != nil {
						t.Errorf("the next session: %v", err)
					}
					if ran := r.changes.Load(); ran > 1 {
						t.Errorf("the change ran %d times", ran)
					}
					if err := again.Close(); err != nil {
						t.Error(err)
					}
					if n := r.shells(); n != 0 {
						t.Errorf("%d shells left", n)
					}
				})
			}
		}
	}
}

// wantHonest checks that an error says of a change what is true. The result may have come though the trouble did.
func wantHonest(t *testing.T, err error, ran int32) {
	t.Helper()
	switch class := hostagent.ClassOf(err); class {
	case "":
		if ran != 1 {
			t.Errorf("success, and it ran %d times", ran)
		}
	case hostagent.OutcomeUnknown:
	case hostagent.Unreachable, hostagent.Protocol:
		if ran != 0 {
			t.Errorf("%v, and it ran", err)
		}
	default:
		t.Errorf("class %s (%v)", class, err)
	}
}

func TestTroubleWhileOpening(t *testing.T) {
	a := newAuthority(t)
	tests := map[string]struct {
		fault wsman.Fault
		class hostagent.Class
		text  string
		left  int
	}{
		"no shell left":            {wsman.Fault{Kind: wsman.NoShells, Action: wsman.Create, Count: 1}, hostagent.Throttled, "raise MaxShellsPerUser", 0},
		"no operation left":        {wsman.Fault{Kind: wsman.NoOperations, Action: wsman.Command, Count: 1}, hostagent.Throttled, "raise MaxConcurrentOperationsPerUser", 0},
		"Create cut before":        {wsman.Fault{Kind: wsman.DropBefore, Action: wsman.Create, Count: 1}, hostagent.Unreachable, "the connection was lost", 0},
		"Create cut after":         {wsman.Fault{Kind: wsman.DropAfter, Action: wsman.Create, Count: 1}, hostagent.Unreachable, "the connection was lost", 0},
		"Create answered by half":  {wsman.Fault{Kind: wsman.Half, Action: wsman.Create, Count: 1}, hostagent.Unreachable, "the connection was lost", 0},
		"Create answered huge":     {wsman.Fault{Kind: wsman.Oversize, Action: wsman.Create, Count: 1, Bytes: 64 << 20}, hostagent.Protocol, "at most 500 KiB", 0},
		"Create answered late":     {wsman.Fault{Kind: wsman.LateTimeout, Action: wsman.Create, Count: 1}, hostagent.Timeout, "did not finish the request in time", 0},
		"Create answered garbage":  {wsman.Fault{Kind: wsman.Garbage, Action: wsman.Create, Count: 1}, hostagent.Protocol, "no WS-Man message", 0},
		"Create answered empty":    {wsman.Fault{Kind: wsman.Empty, Action: wsman.Create, Count: 1}, hostagent.Protocol, "500 Internal Server Error", 0},
		"Command cut after":        {wsman.Fault{Kind: wsman.DropAfter, Action: wsman.Command, Count: 1}, hostagent.Unreachable, "the connection was lost", 0},
		"Command answered by half": {wsman.Fault{Kind: wsman.Half, Action: wsman.Command, Count: 1}, hostagent.Unreachable, "the connection was lost", 0},
		"Command answered garbage": {wsman.Fault{Kind: wsman.Garbage, Action: wsman.Command, Count: 1}, hostagent.Protocol, "no WS-Man message", 0},
		"Send cut":                 {wsman.Fault{Kind: wsman.DropBefore, Action: wsman.Send, Count: 1}, hostagent.Unreachable, "the connection was lost", 0},
		"Receive cut":              {wsman.Fault{Kind: wsman.DropAfter, Action: wsman.Receive, Count: 1}, hostagent.Unreachable, "the connection was lost", 0},
		"Receive huge":             {wsman.Fault{Kind: wsman.Oversize, Action: wsman.Receive, Count: 1, Bytes: 64 << 20}, hostagent.Protocol, "the host was told to send at most 500 KiB", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newCluster(t, a, modes(a)["NTLM"](t), wsman.Limits{})
			d := r.driver(t)
			r.hosts["hv01"].AddFault(test.fault)
			_, err := d.Open(t.Context(), hostagent.Target{Host: "hv01"})
			if hostagent.ClassOf(err) != test.class || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, want %s with %q", err, test.class, test.text)
			}
			if err := r.open(t, d, "hv01").Close(); err != nil {
				t.Error(err)
			}
			if n := r.shells(); n != test.left {
				t.Errorf("%d shells left", n)
			}
		})
	}
}

func TestAFullQuota(t *testing.T) {
	a := newAuthority(t)
	limits := wsman.DefaultLimits()
	limits.ShellsPerUser = 1
	r := newCluster(t, a, modes(a)["NTLM"](t), limits)
	d := r.driver(t)
	first := r.open(t, d, "hv01")
	_, err := d.Open(t.Context(), hostagent.Target{Host: "hv01"})
	if hostagent.ClassOf(err) != hostagent.Throttled || !strings.Contains(err.Error(), "raise MaxShellsPerUser") {
		t.Errorf("got %v, want Throttled", err)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	r.open(t, d, "hv01")
}

// A host that was busy for a moment, or whose acknowledgement came late, has taken everything once.
func TestBusyAndLate(t *testing.T) {
	a := newAuthority(t)
	for _, kind := range []wsman.FaultKind{wsman.Busy, wsman.LateTimeout} {
		r := newCluster(t, a, modes(a)["Basic"](t), wsman.Limits{})
		agent := r.open(t, r.driver(t), "hv01")
		r.hosts["hv01"].AddFault(wsman.Fault{Kind: kind, Action: wsman.Send, Count: 2})
		if _, err := agent.Run(t.Context(), change()); err != nil || r.changes.Load() != 1 {
			t.Errorf("%s: ran %d times, %v", kind, r.changes.Load(), err)
		}
	}
}

func TestAHostThatHangs(t *testing.T) {
	a := newAuthority(t)
	r := newCluster(t, a, modes(a)["NTLM"](t), wsman.Limits{})
	d := r.driver(t)
	r.hosts["hv01"].AddFault(wsman.Fault{Kind: wsman.Hang, Action: wsman.Create, Count: 1})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := d.Open(ctx, hostagent.Target{Host: "hv01"})
	if hostagent.ClassOf(err) != hostagent.Timeout || !strings.Contains(err.Error(), "open a shell on hv01: "+d.config.Hosts[0].Address+" did not answer in time") {
		t.Errorf("got %v, want Timeout, and who did not answer", err)
	}
	// Nobody else waits for it.
	r.open(t, d, "hv02")
	agent := r.open(t, d, "hv01")
	r.hosts["hv01"].AddFault(wsman.Fault{Kind: wsman.Hang, Action: wsman.Send, Count: 1})
	ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := agent.Run(ctx, change()); hostagent.ClassOf(err) != hostagent.OutcomeUnknown {
		t.Errorf("got %v, want OutcomeUnknown", err)
	}
}

func TestAHostThatRestarts(t *testing.T) {
	a := newAuthority(t)
	for name, make := range modes(a) {
		t.Run(name, func(t *testing.T) {
			r := newCluster(t, a, make(t), wsman.Limits{})
			d := r.driver(t)
			agent := r.open(t, d, "hv01")
			r.hosts["hv01"].Restart()
			_, err := agent.Run(t.Context(), reading())
			if hostagent.ClassOf(err) != hostagent.Unreachable {
				// The session may already have started anew.
				if err != nil {
					t.Errorf("got %v, want Unreachable", err)
				}
			}
			_ = agent.Close()
			if _, err := r.open(t, d, "hv01").Run(t.Context(), reading()); err != nil {
				t.Errorf("after the restart: %v", err)
			}
		})
	}
}

// One wrong password, one try, whatever is opened how often at once.
func TestWrongPasswords(t *testing.T) {
	a := newAuthority(t)
	for _, name := range []string{"Basic", "NTLM", "NTLM sealed"} {
		t.Run(name, func(t *testing.T) {
			m := modes(a)[name](t)
			m.config.Password = hostagent.NewSecret("wrong")
			r := newCluster(t, a, m, wsman.Limits{})
			d := r.driver(t)
			var group sync.WaitGroup
			for range 3 {
				for _, host := range hostNames {
					group.Go(func() {
						_, err := d.Open(t.Context(), hostagent.Target{Host: host})
						if !errors.Is(err, hostagent.Unauthenticated) || strings.Contains(err.Error(), "wrong") {
							t.Errorf("got %v, want Unauthenticated", err)
						}
					})
				}
			}
			group.Wait()
			tries := 0
			for _, s := range r.hosts {
				tries += s.Attempts("operator") + s.Attempts(`guests\operator`)
			}
			if tries != 1 {
				t.Errorf("%d tries", tries)
			}
			_, err := d.Open(t.Context(), hostagent.Target{})
			if err == nil || !strings.Contains(err.Error(), "not tried again, on any host") {
				t.Errorf("later: %v", err)
			}
		})
	}
}

func TestAnAccountWithoutRights(t *testing.T) {
	a := newAuthority(t)
	m := modes(a)["NTLM"](t)
	m.config.User = "limited"
	r := newCluster(t, a, m, wsman.Limits{})
	_, err := r.driver(t).Open(t.Context(), hostagent.Target{Host: "hv01"})
	if hostagent.ClassOf(err) != hostagent.Forbidden || !strings.Contains(err.Error(), "member of the host's Administrators") {
		t.Errorf("got %v, want Forbidden", err)
	}
}

func TestLoginsThatAreNotOffered(t *testing.T) {
	a := newAuthority(t)
	all := modes(a)
	tests := map[string]struct {
		accepts, config string
		text            string
	}{
		"NTLM":                    {"Basic", "NTLM", `does not offer Negotiate but Basic realm="WSMAN"`},
		"Basic":                   {"NTLM", "Basic", "does not offer Basic but Negotiate"},
		"certificates":            {"NTLM", "certificate", "refused the client certificate"},
		"Kerberos, but not NTLM":  {"Kerberos", "NTLM", "offers Negotiate but not NTLM"},
		"another one's knowledge": {"certificate", "NTLM", "does not offer Negotiate but nothing"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := all[test.accepts](t)
			m.config = all[test.config](t).config
			r := newCluster(t, a, m, wsman.Limits{})
			_, err := r.driver(t).Open(t.Context(), hostagent.Target{Host: "hv01"})
			if !errors.Is(err, hostagent.Unauthenticated) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, want Unauthenticated with %q", err, test.text)
			}
		})
	}
}

func TestAStrangersCertificateIsRefused(t *testing.T) {
	a := newAuthority(t)
	m := modes(a)["certificate"](t)
	certificate, key := pemOf(t, a.issue("stranger", x509.ExtKeyUsageClientAuth, time.Now()))
	m.config.ClientCertificate, m.config.ClientKey = certificate, hostagent.NewSecret(string(key))
	r := newCluster(t, a, m, wsman.Limits{})
	d := r.driver(t)
	for range 2 {
		_, err := d.Open(t.Context(), hostagent.Target{Host: "hv01"})
		if !errors.Is(err, hostagent.Unauthenticated) || !strings.Contains(err.Error(), "map it to an account there") {
			t.Errorf("got %v, want Unauthenticated", err)
		}
	}
}

func TestATargetWithoutAHost(t *testing.T) {
	a := newAuthority(t)
	r := newCluster(t, a, modes(a)["NTLM"](t), wsman.Limits{})
	d := r.driver(t)
	if err := r.hosts["hv01"].Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		agent := r.open(t, d, "")
		results, err := agent.Run(t.Context(), reading())
		if err != nil || results[0].Values[0].Text("Name") != "hv02" {
			t.Errorf("got %v, %v; want hv02", results, err)
		}
	}
	for _, name := range hostNames[1:] {
		if err := r.hosts[name].Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, err := d.Open(t.Context(), hostagent.Target{})
	if !errors.Is(err, hostagent.Unreachable) || strings.Count(err.Error(), "nothing listens there") != 4 {
		t.Errorf("got %v, want Unreachable with what each host said", err)
	}
	if _, err := d.Open(t.Context(), hostagent.Target{VM: "4c4c"}); !errors.Is(err, hostagent.Unsupported) {
		t.Errorf("a guest: %v, want Unsupported", err)
	}
}

// What a process left on a host is deleted once the next session there has begun.
func TestWhatWasLeftIsDeleted(t *testing.T) {
	a := newAuthority(t)
	r := newCluster(t, a, modes(a)["NTLM sealed"](t), wsman.Limits{})
	d := r.driver(t)
	host := d.config.Hosts[0]
	p, err := d.starter(host, hostagent.Target{Host: "hv01"})(t.Context(), session.PowerShell, session.StreamedArguments)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Leave(); err != nil {
		t.Fatal(err)
	}
	if n := r.shells(); n != 1 {
		t.Fatalf("%d shells after Leave, want 1", n)
	}
	agent := r.open(t, d, "hv01")
	if n := r.shells(); n != 1 {
		t.Errorf("%d shells beside the new one", n-1)
	}
	if err := agent.Close(); err != nil {
		t.Error(err)
	}
	if n := r.shells(); n != 0 {
		t.Errorf("%d shells left", n)
	}
}

// Neither our credentials nor what a batch carries can be read in a message, but as what Send carries.
func TestSecretsOnTheWire(t *testing.T) {
	a := newAuthority(t)
	const guest = "the-guests-own-pa55word"
	for _, name := range []string{"Basic", "NTLM", "NTLM sealed"} {
		t.Run(name, func(t *testing.T) {
			r := newCluster(t, a, modes(a)[name](t), wsman.Limits{})
			agent := r.open(t, r.driver(t), "hv01")
			batch := change()
			batch.Calls[0].Parameters["Stamp"] = hostagent.NewSecret(guest)
			_, err := agent.Run(t.Context(), batch)
			if err != nil && strings.Contains(err.Error(), guest) {
				t.Errorf("the error tells the secret: %v", err)
			}
			r.traffic.mu.Lock()
			defer r.traffic.mu.Unlock()
			for _, e := range r.traffic.exchanges {
				for _, secret := range []string{password, guest, base64.StdEncoding.EncodeToString([]byte("operator:" + password))} {
					if bytes.Contains(e.Request, []byte(secret)) || bytes.Contains(e.Response, []byte(secret)) {
						t.Errorf("%s tells a secret", e.Action)
					}
				}
				if e.Sealed != (name == "NTLM sealed") {
					t.Errorf("%s was sealed: %t", e.Action, e.Sealed)
				}
				if e.Action == wsman.Command && bytes.Contains(e.Request, []byte("Stamp")) {
					t.Error("the command line holds data")
				}
			}
		})
	}
}
