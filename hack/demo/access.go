package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"guestclustering.io/operator/pkg/hypervsim"
	"guestclustering.io/operator/pkg/hypervsim/windows"
)

// operatorNamespace is where the operator looks for what HostClusters name.
const operatorNamespace = "guestclustering-system"

// winRM is the folder into which the simulator writes what clients of its hosts need.
func (p *parts) winRM() string { return filepath.Join(p.dir, "winrm") }

// giveAccess makes the Secret and the ConfigMap that the sample names, out of what the simulator wrote.
func (p *parts) giveAccess(ctx context.Context) error {
	secret := corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "rack1-winrm"}, Data: map[string][]byte{}}
	authorities := corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "corp-ca"}, Data: map[string]string{}}
	for _, name := range []string{"username", "password", "ca.crt"} {
		text, err := os.ReadFile(filepath.Join(p.winRM(), name))
		if err != nil {
			return fmt.Errorf("reading what bin/hypervsim wrote: %w", err)
		}
		if name == "ca.crt" {
			authorities.Data[name] = string(text)
		} else {
			secret.Data[name] = text
		}
	}
	say("kubectl create namespace %s", operatorNamespace)
	say("kubectl create secret generic rack1-winrm -n %s --from-file=username --from-file=password", operatorNamespace)
	say("kubectl create configmap corp-ca -n %s --from-file=ca.crt", operatorNamespace)
	for _, obj := range []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operatorNamespace}}, &secret, &authorities} {
		if err := p.client.Create(ctx, obj); err != nil {
			return fmt.Errorf("making %s: %w", obj.GetName(), err)
		}
	}
	return nil
}

// giveAccounts makes the Secrets that the guest clusters name, out of the simulated domain's accounts.
func (p *parts) giveAccounts(ctx context.Context) error {
	domain := hypervsim.DefaultModel().Domain
	secrets := map[string]map[string]string{"witness-key": {"key": "c2ltdWxhdGVk"}}
	for secret, account := range map[string]string{"corp-join": "join", "corp-cluster": "cluster", "sql-ops": "sql-ops"} {
		i := slices.IndexFunc(domain.Accounts, func(a windows.AccountModel) bool { return a.Name == account })
		secrets[secret] = map[string]string{"username": account + "@" + domain.Name, "password": domain.Accounts[i].Password}
	}
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		say("kubectl create secret generic %s -n %s --from-file=%s", name, namespace, strings.Join(slices.Sorted(maps.Keys(secrets[name])), " --from-file="))
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, StringData: secrets[name]}
		if err := p.client.Create(ctx, secret); err != nil {
			return fmt.Errorf("making Secret %s: %w", name, err)
		}
	}
	return nil
}

// fitHostCluster lets the sample lead to this demo's hosts. They have no domain whose tickets would log on to them.
func (p *parts) fitHostCluster(obj *unstructured.Unstructured) error {
	text, err := os.ReadFile(filepath.Join(p.winRM(), "hosts.yaml"))
	if err != nil {
		return fmt.Errorf("reading what bin/hypervsim wrote: %w", err)
	}
	var hosts []any
	if err := yaml.Unmarshal(text, &hosts); err != nil {
		return fmt.Errorf("reading the simulator's hosts: %w", err)
	}
	if err := unstructured.SetNestedSlice(obj.Object, hosts, "spec", "agent", "winRM", "hosts"); err != nil {
		return fmt.Errorf("setting the hosts: %w", err)
	}
	for value, path := range map[string][]string{"NTLM": {"spec", "agent", "winRM", "authentication"}, "1s": {"spec", "pollInterval"}} {
		if err := unstructured.SetNestedField(obj.Object, value, path...); err != nil {
			return fmt.Errorf("setting %v: %w", path, err)
		}
	}
	return nil
}
