package wsman_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	clocktesting "k8s.io/utils/clock/testing"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim/wsman"
)

// Each fault is done once to the request that it is for, and to no other; then all is as before.
func TestFaultsOfRequests(t *testing.T) {
	for kind, test := range map[wsman.FaultKind]struct {
		// made says whether the request had its effect.
		made  bool
		wants func(r reply, err error) bool
	}{
		wsman.DropBefore: {false, func(_ reply, err error) bool { return errors.Is(err, io.EOF) }},
		wsman.DropAfter:  {true, func(_ reply, err error) bool { return errors.Is(err, io.EOF) }},
		wsman.Half: {true, func(r reply, err error) bool {
			return errors.Is(err, io.ErrUnexpectedEOF) && strings.HasPrefix(r.Text, "<s:Envelope")
		}},
		wsman.Garbage:      {true, func(r reply, _ error) bool { return r.Status == http.StatusOK && strings.HasPrefix(r.Text, "<html>") }},
		wsman.Oversize:     {true, func(r reply, _ error) bool { return r.Status == http.StatusOK && len(r.Text) == 1<<20 }},
		wsman.Empty:        {false, func(r reply, _ error) bool { return r.Status == http.StatusInternalServerError && r.Text == "" }},
		wsman.Forgotten:    {false, func(r reply, _ error) bool { return r.Status == http.StatusBadRequest && r.Text == "" }},
		wsman.LateTimeout:  {true, func(r reply, _ error) bool { return r.fault() == "2150858793" }},
		wsman.Busy:         {false, func(r reply, _ error) bool { return r.fault() == "170" && r.Header.RelatesTo != "" }},
		wsman.NoShells:     {false, func(r reply, _ error) bool { return r.fault() == "2150859173" }},
		wsman.NoOperations: {false, func(r reply, _ error) bool { return r.fault() == "2150859174" }},
	} {
		t.Run(string(kind), func(t *testing.T) {
			e := serve(t, plain())
			c := e.raw(t)
			fault := wsman.Fault{Kind: kind, Action: wsman.Create, Count: 1, Bytes: 1 << 20}
			if err := fault.Validate(); err != nil {
				t.Fatal(err)
			}
			e.AddFault(fault)
			if r := c.post(remove("none")); r.fault() != "2150858843" {
				t.Errorf("another action: %s", r.Text)
			}
			r, err := c.try(create().String())
			if !test.wants(r, err) {
				t.Errorf("got %d %v: %.200s", r.Status, err, r.Text)
			}
			if n := e.Shells(); n != map[bool]int{true: 1}[test.made] {
				t.Errorf("%d shells", n)
			}
			c.shell()
		})
	}
}

func TestAFaultHangs(t *testing.T) {
	e := serve(t, plain())
	c := e.raw(t)
	e.AddFault(wsman.Fault{Kind: wsman.Hang, Count: 2})
	want := []wsman.Fault{{Kind: wsman.Hang, Count: 1}}
	failed := make(chan error, 1)
	go func() {
		_, err := c.try(create().String())
		failed <- err
	}()
	eventually(t, "the request hangs", func() bool { return e.Faults()[0].Count == 1 })
	if diff := cmp.Diff(want, e.Faults(), cmpopts.IgnoreUnexported(wsman.Fault{})); diff != "" {
		t.Error(diff)
	}
	select {
	case err := <-failed:
		t.Errorf("it was answered: %v", err)
	default:
	}
	e.ClearFaults()
	if err := <-failed; err == nil {
		t.Error("it was answered")
	}
	c.shell()
}

func TestAFaultIsSlow(t *testing.T) {
	config := plain()
	clock := clocktesting.NewFakeClock(time.Now())
	config.Clock = clock
	e := serve(t, config)
	c := e.raw(t)
	waiting := clock.Waiters()
	e.AddFault(wsman.Fault{Kind: wsman.Slow, Action: wsman.Create, Count: 1, Delay: time.Minute})
	answer := make(chan reply, 1)
	go func() {
		r, err := c.try(create().String())
		if err != nil {
			t.Error(err)
		}
		answer <- r
	}()
	eventually(t, "the request waits", func() bool { return clock.Waiters() > waiting })
	clock.Step(time.Minute)
	if r := <-answer; r.Status != http.StatusOK {
		t.Errorf("got %s", r.Text)
	}
}

func TestFaultsOfConnections(t *testing.T) {
	e := serve(t, plain())
	c := e.raw(t)
	e.AddFault(wsman.Fault{Kind: wsman.Refuse, Count: 2})
	for range 2 {
		if r, err := c.try(create().String()); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
			t.Errorf("refused: got %v, %s", err, r.Text)
		}
	}
	c.shell()
	e.AddFault(wsman.Fault{Kind: wsman.Mute, Count: 1})
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimSuffix(strings.TrimPrefix(e.url(true), "https://"), "/wsman"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	shaken := make(chan error, 1)
	go func() {
		shaken <- tls.Client(conn, &tls.Config{ServerName: "localhost", MinVersion: tls.VersionTLS12}).HandshakeContext(context.WithoutCancel(t.Context()))
	}()
	eventually(t, "the connection is taken", func() bool { return len(e.Faults()) == 0 })
	select {
	case err := <-shaken:
		t.Errorf("it spoke: %v", err)
	default:
	}
	e.Restart()
	if err := <-shaken; err == nil {
		t.Error("it shook hands")
	}
}

func TestAnExpiredCertificateIsShown(t *testing.T) {
	config := settings()
	authority, err := wsman.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	expired, err := authority.Host(time.Now().Add(-time.Hour), "hv01")
	if err != nil {
		t.Fatal(err)
	}
	good, err := authority.Host(time.Time{}, "hv01")
	if err != nil {
		t.Fatal(err)
	}
	config.Expired = &expired
	e := serve(t, config)
	e.SetCertificate(good)
	e.AddFault(wsman.Fault{Kind: wsman.ExpiredCertificate, Count: 1})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.PEM())
	for _, want := range []bool{false, true} {
		dialer := tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: "hv01", MinVersion: tls.VersionTLS12}}
		conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimSuffix(strings.TrimPrefix(e.url(true), "https://"), "/wsman"))
		if (err == nil) != want {
			t.Errorf("got %v, want %t", err, want)
		}
		if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); !want && (!ok || invalid.Reason != x509.Expired) {
			t.Errorf("got %v, want expired", err)
		}
		if err == nil {
			conn.Close()
		}
	}
}

func TestFaultsAreValid(t *testing.T) {
	for name, test := range map[string]struct {
		fault wsman.Fault
		want  string
	}{
		"unknown":                {wsman.Fault{Kind: "Explode"}, "want one of Busy, DropAfter"},
		"unknown action":         {wsman.Fault{Kind: wsman.Busy, Action: "Explode"}, "want one of Command, Create"},
		"connection with action": {wsman.Fault{Kind: wsman.Mute, Action: wsman.Send}, "connections"},
		"negative":               {wsman.Fault{Kind: wsman.Busy, Count: -1}, "negative"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := test.fault.Validate(); !errors.Is(err, hostagent.Invalid) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			e := serve(t, settings())
			e.AddFault(test.fault)
			if n := len(e.Faults()); n != 0 {
				t.Errorf("%d faults", n)
			}
		})
	}
}
