package reach_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hypervsim"
	"guestclustering.io/operator/pkg/hypervsim/remoting"
	"guestclustering.io/operator/pkg/hypervsim/wsman"
)

// site is a simulated host cluster with WinRM, and the HostCluster that names it.
type site struct {
	name    string
	dir     string
	world   *hypervsim.World
	service *remoting.Service
}

// newSite starts the hosts; nothing names them yet.
func newSite(ctx context.Context) *site {
	GinkgoHelper()
	s := &site{name: fmt.Sprintf("rack-%d", GinkgoRandomSeed()+int64(CurrentSpecReport().LeafNodeLocation.LineNumber)), dir: GinkgoT().TempDir()}
	model := hypervsim.DefaultModel()
	model.Hosts = model.Hosts[:2]
	model.Durations = hypervsim.Durations{MaxMigrations: 2}
	var err error
	s.world, err = hypervsim.New(model, hypervsim.NewRealClock(1))
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(s.world.Close)
	s.service, err = remoting.Start(ctx, s.world, remoting.Options{HTTPS: "127.0.0.1:0", HTTP: "127.0.0.1:0", Directory: s.dir, Log: slog.New(slog.DiscardHandler)})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(s.service.Close)
	return s
}

func (s *site) file(name string) []byte {
	GinkgoHelper()
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	Expect(err).NotTo(HaveOccurred())
	return text
}

// account makes the Secret, or changes it.
func (s *site) account(ctx context.Context, data map[string][]byte) {
	GinkgoHelper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: s.name}, Data: data}
	err := c.Create(ctx, secret)
	if err != nil {
		Expect(c.Update(ctx, secret)).To(Succeed())
	}
}

func (s *site) password() map[string][]byte {
	return map[string][]byte{"username": s.file("username"), "password": s.file("password")}
}

func (s *site) authorities(ctx context.Context, key string) {
	GinkgoHelper()
	Expect(c.Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: s.name}, Data: map[string]string{key: string(s.file("ca.crt"))},
	})).To(Succeed())
}

// hostCluster makes the HostCluster, with the changes that do are.
func (s *site) hostCluster(ctx context.Context, do func(*v1alpha1.WinRMAgent)) {
	GinkgoHelper()
	agent := &v1alpha1.WinRMAgent{
		Authentication: v1alpha1.AuthenticationNTLM, CredentialsSecretRef: v1alpha1.CredentialsSecretReference{Name: s.name},
		CABundle: &v1alpha1.CABundle{ConfigMapRef: &v1alpha1.KeyReference{Name: s.name}},
	}
	s.hosts(agent, "hosts.yaml")
	do(agent)
	hc := &v1alpha1.HostCluster{ObjectMeta: metav1.ObjectMeta{Name: s.name}, Spec: v1alpha1.HostClusterSpec{
		Agent:        v1alpha1.HostAgent{Type: v1alpha1.AgentWinRM, WinRM: agent},
		PollInterval: metav1.Duration{Duration: time.Second},
	}}
	Expect(c.Create(ctx, hc)).To(Succeed())
	DeferCleanup(func(ctx context.Context) {
		Expect(c.Delete(ctx, hc)).To(Succeed())
		Eventually(func() error { return c.Get(ctx, client.ObjectKeyFromObject(hc), hc) }).ShouldNot(Succeed())
	})
}

// hosts takes the hosts that a file of the simulator's lists.
func (s *site) hosts(agent *v1alpha1.WinRMAgent, file string) {
	GinkgoHelper()
	agent.Hosts = nil
	Expect(yaml.Unmarshal(s.file(file), &agent.Hosts)).To(Succeed())
}

// says gives a condition as "status reason: message".
func (s *site) says(ctx context.Context, t v1alpha1.ConditionType) func() string {
	return func() string {
		var hc v1alpha1.HostCluster
		if err := c.Get(ctx, client.ObjectKey{Name: s.name}, &hc); err != nil {
			return err.Error()
		}
		found := meta.FindStatusCondition(hc.Status.Conditions, string(t))
		if found == nil {
			return "none"
		}
		return strings.TrimSuffix(fmt.Sprintf("%s %s: %s", found.Status, found.Reason, found.Message), ": ")
	}
}

func (s *site) stalled(ctx context.Context) func() string {
	return s.says(ctx, v1alpha1.ConditionStalled)
}
func (s *site) connected(ctx context.Context) func() string {
	return s.says(ctx, v1alpha1.ConditionConnected)
}

func (s *site) becomesReady(ctx context.Context) {
	GinkgoHelper()
	Eventually(s.says(ctx, v1alpha1.ConditionReady)).Should(HavePrefix("True"))
	Expect(s.stalled(ctx)()).To(HavePrefix("False"))
	Expect(s.connected(ctx)()).To(HavePrefix("True"))
}

// everywhere does something with every host's service.
func (s *site) everywhere(do func(*wsman.Server)) {
	for _, h := range s.world.State().Hosts {
		do(s.service.Server(h.Name))
	}
}

func (s *site) sum(of func(*wsman.Server) int) func() int {
	return func() int {
		n := 0
		s.everywhere(func(w *wsman.Server) { n += of(w) })
		return n
	}
}
