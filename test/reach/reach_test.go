package reach_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hypervsim/wsman"
)

// asIs changes nothing.
func asIs(*v1alpha1.WinRMAgent) {}

var _ = Describe("A HostCluster over WinRM", func() {
	It("says which object it misses, and goes on when it is there", func(ctx SpecContext) {
		s := newSite(ctx)
		s.hostCluster(ctx, asIs)
		Eventually(s.stalled(ctx)).Should(Equal("True SecretMissing: there is no Secret " + s.name + " in namespace " + namespace + "; create it"))
		s.account(ctx, map[string][]byte{"username": s.file("username")})
		Eventually(s.stalled(ctx)).Should(Equal("True SecretMissing: there is no ConfigMap " + s.name + " in namespace " + namespace + "; create it"))
		s.authorities(ctx, "ca.crt")
		Eventually(s.stalled(ctx)).Should(Equal("True SecretMissing: Secret " + s.name + " in the operator's namespace has no key password; put the account's password there"))
		s.account(ctx, s.password())
		s.becomesReady(ctx)
	})

	It("says which key of the authorities it misses", func(ctx SpecContext) {
		s := newSite(ctx)
		s.account(ctx, s.password())
		s.authorities(ctx, "authority.pem")
		s.hostCluster(ctx, asIs)
		Eventually(s.stalled(ctx)).Should(HavePrefix("True SecretMissing: ConfigMap " + namespace + "/" + s.name + " has no key ca.crt"))
	})

	It("tries a wrong password once, and the next one once", func(ctx SpecContext) {
		s := newSite(ctx)
		s.authorities(ctx, "ca.crt")
		wrong := s.password()
		wrong["password"] = []byte("wrong")
		s.account(ctx, wrong)
		s.hostCluster(ctx, asIs)
		Eventually(s.stalled(ctx)).Should(And(HavePrefix("True CredentialsRefused: "), ContainSubstring("check user and password in the Secret"), Not(ContainSubstring("wrong"))))
		refusals := s.sum(func(w *wsman.Server) int { return w.Refusals(string(s.file("username"))) })
		Consistently(refusals, "3s").Should(Equal(1))
		s.account(ctx, s.password())
		s.becomesReady(ctx)
		Expect(refusals()).To(Equal(1))
	})

	It("uses a new password from the next poll on", func(ctx SpecContext) {
		s := connectedSite(ctx)
		user := string(s.file("username"))
		s.everywhere(func(w *wsman.Server) { w.SetPassword(user, "rotated") })
		rotated := s.password()
		rotated["password"] = []byte("rotated")
		before := s.sum(func(w *wsman.Server) int { return w.Attempts(user) })()
		s.account(ctx, rotated)
		Eventually(s.sum(func(w *wsman.Server) int { return w.Attempts(user) })).Should(BeNumerically(">", before), "new sessions are opened")
		s.becomesReady(ctx)
		s.everywhere(func(w *wsman.Server) { w.Restart() })
		Consistently(s.stalled(ctx), "2s").Should(HavePrefix("False"))
		s.becomesReady(ctx)
	})

	It("says whose certificate is not believed", func(ctx SpecContext) {
		s := newSite(ctx)
		s.account(ctx, s.password())
		s.hostCluster(ctx, func(a *v1alpha1.WinRMAgent) { a.CABundle = nil })
		Eventually(s.stalled(ctx)).Should(And(HavePrefix("True AccessDenied: "), ContainSubstring("give the CA in caBundle")))
	})

	It("says that a certificate has expired, and goes on when it is renewed", func(ctx SpecContext) {
		s := newSite(ctx)
		s.account(ctx, s.password())
		s.authorities(ctx, "ca.crt")
		s.everywhere(func(w *wsman.Server) { w.AddFault(wsman.Fault{Kind: wsman.ExpiredCertificate}) })
		s.hostCluster(ctx, asIs)
		Eventually(s.stalled(ctx)).Should(And(HavePrefix("True AccessDenied: "), ContainSubstring("renew it on the host")))
		s.everywhere(func(w *wsman.Server) { w.ClearFaults() })
		s.becomesReady(ctx)
	})

	It("says that a quota is full, and which", func(ctx SpecContext) {
		s := newSite(ctx)
		s.account(ctx, s.password())
		s.authorities(ctx, "ca.crt")
		s.everywhere(func(w *wsman.Server) { w.AddFault(wsman.Fault{Kind: wsman.NoShells, Action: wsman.Create}) })
		s.hostCluster(ctx, asIs)
		Eventually(s.connected(ctx)).Should(And(HavePrefix("False HostUnreachable: "), ContainSubstring("raise MaxShellsPerUser")))
		s.everywhere(func(w *wsman.Server) { w.ClearFaults() })
		s.becomesReady(ctx)
	})

	It("goes on after hosts were restarted, with one shell on each", func(ctx SpecContext) {
		s := connectedSite(ctx)
		for _, h := range []string{"hv01", "hv02"} {
			Expect(s.world.FailHost(h)).To(Succeed())
		}
		Eventually(s.connected(ctx)).Should(HavePrefix("False HostUnreachable: "))
		for _, h := range []string{"hv01", "hv02"} {
			Expect(s.world.ReturnHost(h)).To(Succeed())
		}
		s.becomesReady(ctx)
		Eventually(s.sum((*wsman.Server).Shells)).Should(BeNumerically("<=", 3), "one on each host, and one for any host")
	})

	It("works over plain HTTP, sealed, with a client certificate, and with a process for each request", func(ctx SpecContext) {
		for name, do := range map[string]func(s *site, a *v1alpha1.WinRMAgent){
			"sealed": func(s *site, a *v1alpha1.WinRMAgent) {
				a.Transport, a.CABundle = v1alpha1.TransportHTTP, nil
				s.hosts(a, "hosts-http.yaml")
			},
			"certificate": func(_ *site, a *v1alpha1.WinRMAgent) { a.Authentication = v1alpha1.AuthenticationCertificate },
			"one shot":    func(_ *site, a *v1alpha1.WinRMAgent) { a.Process = v1alpha1.ProcessOneShot },
		} {
			By(name)
			s := newSite(ctx)
			s.name += "-" + string(name[0])
			account := s.password()
			account["tls.crt"], account["tls.key"] = s.file("client.crt"), s.file("client.key")
			s.account(ctx, account)
			s.authorities(ctx, "ca.crt")
			s.hostCluster(ctx, func(a *v1alpha1.WinRMAgent) { do(s, a) })
			s.becomesReady(ctx)
		}
	})
})

// connectedSite is a site that is connected.
func connectedSite(ctx context.Context) *site {
	GinkgoHelper()
	s := newSite(ctx)
	s.account(ctx, s.password())
	s.authorities(ctx, "ca.crt")
	s.hostCluster(ctx, asIs)
	s.becomesReady(ctx)
	return s
}
