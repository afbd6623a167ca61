package winrm

import (
	"testing"

	"github.com/jcmturner/gokrb5/v8/keytab"

	"guestclustering.io/operator/test/kdc"
)

const realm = kdc.Realm

// center is a key distribution centre that knows the account operator, whose password is pa55word, and the hosts that are
// asked for.
type center struct {
	*kdc.KDC
	services map[string]*keytab.Keytab
}

func newKDC(t testing.TB) *center {
	t.Helper()
	k := &center{KDC: kdc.Start(t), services: map[string]*keytab.Keytab{}}
	k.Admin("addprinc +requires_preauth -pw pa55word operator")
	k.Admin("addprinc -randkey HTTP/hv01")
	return k
}

// service makes a host's principal, once, and gives its keys.
func (k *center) service(host string) *keytab.Keytab {
	if keys := k.services[host]; keys != nil {
		return keys
	}
	if host != "hv01" {
		k.Admin("addprinc -randkey HTTP/" + host)
	}
	_, k.services[host] = k.Keytab("HTTP/" + host)
	return k.services[host]
}
