package hostcluster

import (
	"errors"
	"net"
	"slices"
	"strings"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/plan"
	"guestclustering.io/operator/pkg/status"
)

// connected tells whether every host can be read that should.
func (v view) connected() status.Fact {
	if v.seen == nil {
		return status.Unknown(v1alpha1.ReasonUnknown, "the hosts have not been read yet")
	}
	if refused := v.refused(); refused != nil {
		return status.False(refused.Reason, refused.Message)
	}
	if v.seen.Cluster == nil {
		why := "check that the agent's address is right, that the hosts are up, and that their cluster has quorum"
		if v.readErr != nil {
			why = explain(v.readErr)
		}
		return status.False(v1alpha1.ReasonHostUnreachable, "no host could tell about the host cluster; trying again: "+why)
	}
	var silent []string
	for _, h := range v.seen.Hosts {
		if !h.Answered && h.State != hyperv.HostDown {
			silent = append(silent, h.Name)
		}
	}
	if len(silent) == 0 {
		return status.True(v1alpha1.ReasonSucceeded, "")
	}
	why := ""
	if err := v.hostErrs[silent[0]]; err != nil {
		why = ": " + explain(err)
	}
	return status.False(v1alpha1.ReasonHostUnreachable, strings.Join(silent, ", ")+" cannot be read; trying again"+why)
}

// refused is what a host holds against the operator itself, if any does: its credentials, its rights, or the host's own
// certificate. Trying again mends none of these.
func (v view) refused() *plan.Block {
	if v.seen == nil {
		return nil
	}
	if v.seen.Cluster == nil {
		return refusal("", v.readErr)
	}
	for _, h := range v.seen.Hosts {
		if h.Answered {
			continue
		}
		if b := refusal(h.Name+": ", v.hostErrs[h.Name]); b != nil {
			return b
		}
	}
	return nil
}

func refusal(prefix string, err error) *plan.Block {
	switch hostagent.ClassOf(err) {
	case hostagent.Unauthenticated:
		return &plan.Block{Reason: v1alpha1.ReasonCredentialsRefused, Message: prefix + explain(err)}
	case hostagent.Forbidden:
		return &plan.Block{Reason: v1alpha1.ReasonAccessDenied, Message: prefix + explain(err)}
	default:
		return nil
	}
}

// explain is an error's cause in its own words, without the operations around it. It stays the same from try to try: of
// several hosts' causes it is the first by the alphabet, and the number of our end of a connection is left out.
func explain(err error) string {
	if several, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err); ok {
		texts := make([]string, 0, len(several.Unwrap()))
		for _, one := range several.Unwrap() {
			texts = append(texts, explain(one))
		}
		return slices.Min(texts)
	}
	if inner, ok := errors.AsType[*hostagent.Error](err); ok && inner.Err != nil {
		return explain(inner.Err)
	}
	text := err.Error()
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Err != nil {
		text = strings.ReplaceAll(text, op.Error(), op.Err.Error())
	}
	return text
}
