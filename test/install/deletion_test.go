package install_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"guestclustering.io/operator/api/v1alpha1"
)

const keysYAML = `
{apiVersion: v1, kind: Secret, metadata: {namespace: guestclustering-system, name: winrm}}
---
{apiVersion: v1, kind: Secret, metadata: {namespace: guestclustering-system, name: ssh}}
---
{apiVersion: v1, kind: Secret, metadata: {namespace: guestclustering-system, name: ca}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {namespace: guestclustering-system, name: ca}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {namespace: guestclustering-system, name: winrm}}
---
{apiVersion: v1, kind: Secret, metadata: {namespace: default, name: winrm}}
`

const winRMAgent = `
type: WinRM
winRM:
  hosts: [{name: hv01.corp.example}]
  authentication: NTLM
  credentialsSecretRef: {name: winrm}
`

func keysInUseStay(t *testing.T, c *cluster) {
	c.apply(t, keysYAML)
	const all = "Secret winrm, Secret ssh, Secret ca, ConfigMap ca, ConfigMap winrm"
	tests := []struct{ name, agent, held string }{
		{"WinRM", winRMAgent, "Secret winrm"},
		{"its CA in a ConfigMap", winRMAgent + "  caBundle: {configMapRef: {name: ca}}", "Secret winrm, ConfigMap ca"},
		{"its CA in a Secret", winRMAgent + "  caBundle: {secretRef: {name: ca}}", "Secret winrm, Secret ca"},
		{"SSH", "{type: SSH, ssh: {hosts: [{name: hv01}], credentialsSecretRef: {name: ssh}, knownHosts: hv01 ssh-ed25519 AAAA}}", "Secret ssh"},
		{"Simulated", `{type: Simulated, simulated: {address: "127.0.0.1:7100"}}`, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c.apply(t, hostCluster(test.agent))
			for key := range strings.SplitSeq(all, ", ") {
				// The API server learns of policies and HostClusters in its own time.
				eventually(t, key, func(ctx context.Context) error {
					return c.deletes(ctx, namespace, key, strings.Contains(test.held, key))
				})
			}
			must(t, c.deletes(t.Context(), "default", "Secret winrm", false))
		})
	}

	c.apply(t, hostCluster(winRMAgent))
	eventually(t, "the WinRM agent is known", func(ctx context.Context) error { return c.deletes(ctx, namespace, "Secret winrm", true) })
	if err := c.DeleteAllOf(t.Context(), &corev1.Secret{}, client.InNamespace(namespace)); err == nil || !strings.Contains(err.Error(), "Secret winrm is in use by HostCluster rack1") {
		t.Errorf("deleting all Secrets: %v, want it refused", err)
	}
	must(t, c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "winrm"}, &corev1.Secret{}))
	must(t, c.Delete(t.Context(), &v1alpha1.HostCluster{ObjectMeta: metav1.ObjectMeta{Name: "rack1"}}))
	eventually(t, "nothing names it any more", func(ctx context.Context) error { return c.deletes(ctx, namespace, "Secret winrm", false) })
}

// deletes tries a deletion without doing it. Its error says that it went the other way.
func (c *cluster) deletes(ctx context.Context, namespace, key string, held bool) error {
	kind, name, _ := strings.Cut(key, " ")
	var obj client.Object = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if kind == "ConfigMap" {
		obj = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	}
	err := c.Delete(ctx, obj, client.DryRunAll)
	want := fmt.Sprintf("%s is in use by HostCluster rack1: let it name another one first, or delete the HostCluster", key)
	switch {
	case !held:
		return err
	case err == nil:
		return errors.New("it may be deleted")
	case !strings.Contains(err.Error(), want):
		return fmt.Errorf("it is refused otherwise: %w", err)
	}
	return nil
}
