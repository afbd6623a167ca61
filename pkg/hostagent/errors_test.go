package hostagent_test

import (
	"errors"
	"fmt"
	"testing"

	"guestclustering.io/operator/pkg/hostagent"
)

func TestClassOf(t *testing.T) {
	transport := &hostagent.Error{Class: hostagent.OutcomeUnknown, Op: "run", Target: hostagent.Target{Host: "HOST1"}, Err: hostagent.Timeout}
	tests := map[string]struct {
		err  error
		want hostagent.Class
	}{
		"none":                     {nil, ""},
		"a foreign error":          {errors.New("x"), hostagent.Internal},
		"transport":                {fmt.Errorf("polling: %w", transport), hostagent.OutcomeUnknown},
		"a class alone":            {fmt.Errorf("polling: %w", hostagent.Busy), hostagent.Busy},
		"a cmdlet that is missing": {&hostagent.CallError{FullyQualifiedErrorID: "CommandNotFoundException", Category: "ObjectNotFound"}, hostagent.Unsupported},
		"by category":              {&hostagent.CallError{Category: "ObjectNotFound"}, hostagent.NotFound},
		"by code first":            {&hostagent.CallError{Category: "InvalidArgument", HResult: "0x80070020"}, hostagent.Busy},
		"an unknown category":      {&hostagent.CallError{Category: "DeviceError"}, hostagent.Internal},
		"an unknown code":          {&hostagent.CallError{Category: "PermissionDenied", HResult: "0x80131500"}, hostagent.Forbidden},
		"a failed call wrapped":    {fmt.Errorf("step: %w", &hostagent.CallError{Category: "ResourceExists"}), hostagent.Conflict},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := hostagent.ClassOf(test.err); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if test.err != nil && test.want != hostagent.Internal && !errors.Is(test.err, test.want) {
				t.Errorf("errors.Is does not find %s", test.want)
			}
		})
	}
}

func TestErrorsTellWhatHappened(t *testing.T) {
	tests := map[string]struct {
		err  error
		want string
	}{
		"with a cause":         {&hostagent.Error{Class: hostagent.Unreachable, Op: "open", Target: hostagent.Target{Host: "HOST1"}, Err: errors.New("refused")}, "open on HOST1: refused"},
		"without":              {&hostagent.Error{Class: hostagent.Unreachable, Op: "open"}, "open on any host: Unreachable"},
		"the host's own words": {&hostagent.CallError{Category: "ResourceBusy", Message: "The file is in use."}, "The file is in use."},
		"a host without words": {&hostagent.CallError{Category: "ResourceBusy", HResult: "0x80070020"}, "ResourceBusy 0x80070020"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := test.err.Error(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
