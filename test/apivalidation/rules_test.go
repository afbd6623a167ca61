package apivalidation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// rule is a CEL rule of a CRD with manifests on both sides of it.
type rule struct {
	manifest manifest
	// from makes the manifest the object that exists before the accepted and refused changes. The rule is one of
	// transitions then; without from the changed manifests are created.
	from []change
	// accepted and refused are changes after which the manifest is accepted, and refused for this rule alone.
	accepted, refused []change
	// path is the field that the refusal names, as a user reads it.
	path string
	// message is the sentence of the refusal, as the CRD declares it.
	message string
	// says is what a user reads, where that names something of the manifest; the message when it is left out.
	says string
}

// said is what a user reads.
func (r rule) said() string {
	return cmp.Or(r.says, r.message)
}

// unchanged is the from of a transition that starts from the manifest as it is.
var unchanged = []change{`{}`}

var rules = map[string]rule{}

func declare(kind string, more map[string]rule) bool {
	for name, r := range more {
		rules[kind+": "+name] = r
	}
	return true
}

var _ = Describe("a CEL rule", func() {
	for name, r := range rules {
		It("accepts: "+name, func(ctx SpecContext) {
			for _, c := range r.accepted {
				Expect(r.try(ctx, c)).To(Succeed(), "%s", c)
			}
		})
		It("refuses: "+name, func(ctx SpecContext) {
			for _, c := range r.refused {
				Expect(causes(r.try(ctx, c))).To(ConsistOf(cause{r.path, r.said()}), "%s", c)
			}
		})
		if r.from == nil {
			It("refuses in an update too: "+name, func(ctx SpecContext) {
				r := r
				r.from = unchanged
				for _, c := range r.refused {
					if renames(c) {
						continue
					}
					Expect(causes(r.try(ctx, c))).To(ContainElement(cause{r.path, r.said()}), "%s", c)
				}
			})
		}
	}
})

// try creates or, where the rule has a from, updates in a dry run.
func (r rule) try(ctx context.Context, c change) error {
	if r.from == nil {
		return kube.Create(ctx, r.manifest.with(c), client.DryRunAll, strict)
	}
	before := r.manifest.with(r.from...)
	if err := kube.Create(ctx, before, strict); err != nil {
		return fmt.Errorf("creating what exists before the change: %w", err)
	}
	after := r.manifest.with(append(slices.Clip(r.from), c)...)
	after.SetResourceVersion(before.GetResourceVersion())
	return errors.Join(
		kube.Update(ctx, after, client.DryRunAll, strict),
		kube.Delete(ctx, before),
	)
}

// renames says whether a change is of the name, which no update can make.
func renames(c change) bool {
	_, found, err := unstructured.NestedString(parse(string(c)), "metadata", "name")
	return found && err == nil
}

// cause is why an object is refused: the field and the sentence.
type cause struct{ path, message string }

// causes are the reasons of a refusal, without the values that the API server puts before each sentence.
func causes(err error) []cause {
	var status *apierrors.StatusError
	ExpectWithOffset(1, errors.As(err, &status)).To(BeTrue(), "not refused: %v", err)
	ExpectWithOffset(1, status.ErrStatus.Reason).To(Equal(metav1.StatusReasonInvalid), "%v", err)
	found := []cause{}
	for _, c := range status.ErrStatus.Details.Causes {
		found = append(found, cause{c.Field, sentence(c.Message)})
	}
	return found
}

// sentence cuts `Invalid value: …: ` off a message. A value can hold a colon, a sentence of a rule can too;
// therefore the longest declared sentence that ends the message is taken.
func sentence(message string) string {
	longest := ""
	for _, r := range rules {
		if said := r.said(); strings.HasSuffix(message, ": "+said) && len(said) > len(longest) {
			longest = said
		}
	}
	if longest == "" {
		return message
	}
	return longest
}
