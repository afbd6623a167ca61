package apivalidation

import (
	"os"
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

var _ = Describe("the manifest in README.md", func() {
	It("is accepted, every field known", func(ctx SpecContext) {
		page, err := os.ReadFile("../../README.md")
		Expect(err).NotTo(HaveOccurred())
		shown := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(page)
		Expect(shown).NotTo(BeNil(), "README.md shows no manifest")
		obj := &unstructured.Unstructured{}
		Expect(yaml.UnmarshalStrict(shown[1], &obj.Object)).To(Succeed())
		Expect(kube.Create(ctx, obj, client.DryRunAll, strict)).To(Succeed())
	})
})
