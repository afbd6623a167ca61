package guestcluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/plan"
)

// The keys of the Secrets that a guest cluster names.
const (
	keyUsername = "username"
	keyPassword = "password"
)

// localAdministrator is the account that every Windows has; an image in another language may call it otherwise, and answers
// to this name all the same as long as nobody renamed it.
const localAdministrator = "Administrator"

// keys are what a guest cluster's Secrets hold. What a Secret lacks is empty, and told in missing.
type keys struct {
	administrator, productKey, witness hostagent.Secret
	// join joins members to their domain, forming forms the cluster, operations administers the members from the join on.
	join, forming, operations hostagent.Credential
	missing                   []plan.Block
}

// secrets reads the Secrets of one guest cluster's namespace, each by its name: none is listed or watched.
type secrets struct {
	reader client.Reader
	gc     *v1alpha1.GuestCluster
	keys   keys
	// read are those that were read already, or could not be.
	read map[string]*corev1.Secret
}

// readKeys reads all that a guest cluster's Secrets hold. What is missing is told, and leaves the rest as it is; an error is the
// API server's.
func (r *Reconciler) readKeys(ctx context.Context, gc *v1alpha1.GuestCluster) (keys, error) {
	s := &secrets{reader: r.Secrets, gc: gc, read: map[string]*corev1.Secret{}}
	setup := gc.Spec.Machine.Setup
	steps := []func() error{
		func() (err error) {
			s.keys.administrator, err = s.value(ctx, administratorSecret(gc), keyPassword)
			return err
		},
		func() (err error) {
			if ref := setup.ProductKeySecretRef; ref != nil {
				s.keys.productKey, err = s.value(ctx, ref.Name, ref.Key)
			}
			return err
		},
	}
	if failover := gc.Spec.Failover(); failover != nil {
		steps = append(steps, func() error { return s.forCluster(ctx, failover) })
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return keys{}, err
		}
	}
	return s.keys, nil
}

func (s *secrets) forCluster(ctx context.Context, failover *v1alpha1.FailoverClustering) error {
	if cloud := failover.Quorum.CloudWitness; cloud != nil {
		key, err := s.value(ctx, cloud.KeySecretRef.Name, cloud.KeySecretRef.Key)
		if err != nil {
			return err
		}
		s.keys.witness = key
	}
	domain := failover.Domain
	if domain == nil {
		return nil
	}
	join := domain.CredentialsSecretRef.Name
	for _, c := range []struct {
		into *hostagent.Credential
		ref  *v1alpha1.SecretReference
	}{
		{&s.keys.join, &domain.CredentialsSecretRef},
		{&s.keys.forming, domain.FormingCredentialsSecretRef},
		{&s.keys.operations, s.gc.Spec.GuestAccess.CredentialsSecretRef},
	} {
		name := join
		if c.ref != nil {
			name = c.ref.Name
		}
		credential, err := s.credential(ctx, name)
		if err != nil {
			return err
		}
		*c.into = credential
	}
	return nil
}

func (s *secrets) credential(ctx context.Context, name string) (hostagent.Credential, error) {
	user, err := s.value(ctx, name, keyUsername)
	if err != nil {
		return hostagent.Credential{}, err
	}
	password, err := s.value(ctx, name, keyPassword)
	return hostagent.Credential{User: user.Reveal(), Password: password}, err
}

// value reads one key. A Secret that is not there, or lacks it, is told once.
func (s *secrets) value(ctx context.Context, name, key string) (hostagent.Secret, error) {
	secret, known := s.read[name]
	if !known {
		secret = &corev1.Secret{}
		err := s.reader.Get(ctx, client.ObjectKey{Namespace: s.gc.Namespace, Name: name}, secret)
		switch {
		case apierrors.IsNotFound(err):
			secret = nil
			s.miss(fmt.Sprintf("there is no Secret %s in namespace %s; create it", name, s.gc.Namespace))
		case apierrors.IsForbidden(err):
			secret = nil
			s.miss(fmt.Sprintf("the operator may not read Secret %s in namespace %s; ask the platform team to let it", name, s.gc.Namespace))
		case err != nil:
			return hostagent.Secret{}, fmt.Errorf("reading Secret %s/%s: %w", s.gc.Namespace, name, err)
		}
		s.read[name] = secret
	}
	if secret == nil {
		return hostagent.Secret{}, nil
	}
	value := secret.Data[key]
	if len(value) == 0 {
		s.miss(fmt.Sprintf("Secret %s has no key %s; put it there", name, key))
	}
	// A file that an editor has saved ends its line, which is part of no password.
	return hostagent.NewSecret(strings.TrimRight(string(value), "\r\n")), nil
}

func (s *secrets) miss(message string) {
	block := plan.Block{Reason: v1alpha1.ReasonSecretMissing, Message: message}
	if !slices.Contains(s.keys.missing, block) {
		s.keys.missing = append(s.keys.missing, block)
	}
}

func administratorSecret(gc *v1alpha1.GuestCluster) string {
	if ref := gc.Spec.Machine.Setup.AdministratorSecretRef; ref != nil {
		return ref.Name
	}
	return v1alpha1.AdministratorSecretName(gc.Name)
}

// ensureAdministrator makes the Secret with the members' administrator password, where the spec names none and there is none
// of the name. One that exists is never changed.
func (r *Reconciler) ensureAdministrator(ctx context.Context, gc *v1alpha1.GuestCluster) error {
	if gc.Spec.Machine.Setup.AdministratorSecretRef != nil {
		return nil
	}
	key := client.ObjectKey{Namespace: gc.Namespace, Name: v1alpha1.AdministratorSecretName(gc.Name)}
	err := r.Secrets.Get(ctx, key, &corev1.Secret{})
	if err == nil || apierrors.IsForbidden(err) {
		// Reading the keys tells of what may not be read.
		return nil
	}
	if !apierrors.IsNotFound(err) {
		return fmt.Errorf("reading Secret %s: %w", key, err)
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: key.Namespace, Name: key.Name,
			Labels: map[string]string{v1alpha1.LabelGuestCluster: gc.Name, v1alpha1.LabelGuestClusterUID: string(gc.UID)},
		},
		Data: map[string][]byte{keyUsername: []byte(localAdministrator), keyPassword: []byte(newPassword())},
	}
	return ignoreExists(r.Client.Create(ctx, secret), "making the administrator's Secret")
}

// newPassword has 26 random letters and digits, about 128 bits, with what Windows' password policy wants beside them: it asks
// for three of capitals, small letters, digits and others ("Password must meet complexity requirements").
func newPassword() string { return rand.Text() + "-a1" }

// removeAdministrator removes the Secret that ensureAdministrator made for this very object.
func (r *Reconciler) removeAdministrator(ctx context.Context, gc *v1alpha1.GuestCluster) error {
	var secret corev1.Secret
	key := client.ObjectKey{Namespace: gc.Namespace, Name: v1alpha1.AdministratorSecretName(gc.Name)}
	err := r.Secrets.Get(ctx, key, &secret)
	switch {
	case apierrors.IsNotFound(err) || apierrors.IsForbidden(err):
		return nil
	case err != nil:
		return fmt.Errorf("reading Secret %s: %w", key, err)
	case secret.Labels[v1alpha1.LabelGuestClusterUID] != string(gc.UID):
		return nil
	}
	err = r.Client.Delete(ctx, &secret, client.Preconditions{UID: &secret.UID, ResourceVersion: &secret.ResourceVersion})
	if apierrors.IsConflict(err) {
		return errors.New("the administrator's Secret changed while it was being removed")
	}
	return client.IgnoreNotFound(err)
}
