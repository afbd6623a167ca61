package hostcluster

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/plan"
)

// Keys are what the Secret and the ConfigMap hold that an agent names.
type Keys struct {
	Credentials map[string][]byte
	// CABundle is in PEM; empty when the agent names none.
	CABundle []byte
	// Version differs when anything of it does. It tells nothing of the contents.
	Version string
}

// Objects reads Secrets and ConfigMaps of the operator's own namespace, each by its name: nothing is listed or watched, so
// that the operator needs no right to other Secrets.
type Objects struct {
	Reader client.Reader
	// Namespace is the operator's own; empty when it does not know.
	Namespace string
}

// Keys gives what an agent needs. Its error is a blockError when somebody must act.
func (o Objects) Keys(ctx context.Context, agent v1alpha1.HostAgent) (Keys, error) {
	var k Keys
	var err error
	switch {
	case agent.WinRM != nil:
		if err = o.credentials(ctx, agent.WinRM.CredentialsSecretRef, &k); err == nil {
			err = o.caBundle(ctx, agent.WinRM.CABundle, &k)
		}
	case agent.SSH != nil:
		err = o.credentials(ctx, agent.SSH.CredentialsSecretRef, &k)
	}
	return k, err
}

func (o Objects) credentials(ctx context.Context, ref v1alpha1.CredentialsSecretReference, k *Keys) error {
	var s corev1.Secret
	if err := o.get(ctx, "Secret", ref.Name, &s); err != nil {
		return err
	}
	k.Credentials = s.Data
	k.Version = version(&s)
	return nil
}

func (o Objects) caBundle(ctx context.Context, from *v1alpha1.CABundle, k *Keys) error {
	switch {
	case from == nil:
		return nil
	case from.ConfigMapRef != nil:
		var m corev1.ConfigMap
		if err := o.get(ctx, "ConfigMap", from.ConfigMapRef.Name, &m); err != nil {
			return err
		}
		return o.take("ConfigMap", *from.ConfigMapRef, []byte(m.Data[from.ConfigMapRef.Key]), &m, k)
	default:
		var s corev1.Secret
		if err := o.get(ctx, "Secret", from.SecretRef.Name, &s); err != nil {
			return err
		}
		return o.take("Secret", *from.SecretRef, s.Data[from.SecretRef.Key], &s, k)
	}
}

// take keeps the authorities' certificates that an object holds under a key.
func (o Objects) take(kind string, ref v1alpha1.KeyReference, certificates []byte, of client.Object, k *Keys) error {
	if len(certificates) == 0 {
		return blocked(v1alpha1.ReasonSecretMissing, "%s %s/%s has no key %s; put the authorities' certificates there, in PEM", kind, o.Namespace, ref.Name, ref.Key)
	}
	k.CABundle = certificates
	k.Version += " " + version(of)
	return nil
}

func (o Objects) get(ctx context.Context, kind, name string, into client.Object) error {
	if o.Namespace == "" {
		return blocked(v1alpha1.ReasonSecretMissing, "the operator does not know its own namespace, in which %s %s is looked for; start it with --operator-namespace", kind, name)
	}
	err := o.Reader.Get(ctx, client.ObjectKey{Namespace: o.Namespace, Name: name}, into)
	switch {
	case apierrors.IsNotFound(err):
		return blocked(v1alpha1.ReasonSecretMissing, "there is no %s %s in namespace %s; create it", kind, name, o.Namespace)
	case apierrors.IsForbidden(err):
		return blocked(v1alpha1.ReasonSecretMissing, "the operator may not read %s %s in namespace %s; let its Role get it", kind, name, o.Namespace)
	case err != nil:
		return fmt.Errorf("reading %s %s/%s: %w", kind, o.Namespace, name, err)
	}
	return nil
}

func version(obj client.Object) string { return string(obj.GetUID()) + "/" + obj.GetResourceVersion() }

// blockError is what keeps the hosts from being reached until somebody acts.
type blockError struct{ plan.Block }

func (e *blockError) Error() string { return e.Message }

func blocked(reason v1alpha1.Reason, format string, args ...any) error {
	return &blockError{plan.Block{Reason: reason, Message: fmt.Sprintf(format, args...)}}
}

// Missing is the error for a key that a Secret must have.
func Missing(agent v1alpha1.HostAgent, key, what string) error {
	name := ""
	switch {
	case agent.WinRM != nil:
		name = agent.WinRM.CredentialsSecretRef.Name
	case agent.SSH != nil:
		name = agent.SSH.CredentialsSecretRef.Name
	}
	return blocked(v1alpha1.ReasonSecretMissing, "Secret %s in the operator's namespace has no key %s; put %s there", name, key, what)
}
