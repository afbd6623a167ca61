package winrm

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/krberror"
	"github.com/jcmturner/gokrb5/v8/spnego"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/rack"
)

// clientAge is how long logins are made from one client. New sessions then get a new one, with a new ticket, so that the
// library, which goes on trying by itself when a ticket runs out, never has to.
const clientAge = time.Hour

// kerberos has one client of the domain's for all hosts. It logs in when the first session needs it, and is destroyed
// when the last one that used it has ended, because a client keeps a goroutine that renews its ticket.
type kerberos struct {
	user, realm string
	password    hostagent.Secret
	keytab      *keytab.Keytab
	config      *config.Config
	gate        *rack.Gate

	// turn holds a token while somebody looks for a client or logs in.
	turn    chan struct{}
	current *domainClient
}

// domainClient is a client that is logged in, with those who use it counted.
type domainClient struct {
	*client.Client
	made time.Time

	mu    sync.Mutex
	users int
	// retired says that no more users come.
	retired bool
}

func newKerberos(c Config, g *rack.Gate) (*kerberos, error) {
	k := &kerberos{password: c.Password, gate: g, turn: make(chan struct{}, 1)}
	if c.Keytab.Reveal() != "" {
		k.keytab = keytab.New()
		if err := k.keytab.Unmarshal([]byte(c.Keytab.Reveal())); err != nil {
			return nil, fmt.Errorf("the keytab: %w", err)
		}
	}
	user, realm, _ := strings.Cut(c.User, "@")
	k.user, k.realm = user, strings.ToUpper(realm)
	if c.Realm != "" {
		k.realm = c.Realm
	}
	if err := k.configure(c.KerberosConfig); err != nil {
		return nil, err
	}
	return k, nil
}

func (k *kerberos) configure(text string) error {
	if text == "" {
		k.config = config.New()
		k.config.LibDefaults.DNSLookupKDC = true
		// A domain's tickets seldom fit into a datagram.
		k.config.LibDefaults.UDPPreferenceLimit = 1
		k.config.LibDefaults.DefaultRealm = k.realm
	} else {
		parsed, err := config.NewFromString(text)
		if _, ok := errors.AsType[config.UnsupportedDirective](err); err != nil && !ok {
			return fmt.Errorf("the Kerberos configuration: %w", err)
		}
		k.config = parsed
	}
	if k.realm == "" {
		k.realm = k.config.LibDefaults.DefaultRealm
	}
	if k.realm == "" {
		return errors.New("no Kerberos realm is given; write the user as user@REALM, or give the realm")
	}
	return nil
}

// hold gives the client to one more user.
func (k *kerberos) hold(ctx context.Context) (logins, error) {
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return logins{}, &unsentError{err: context.Cause(ctx)}
	}
	if k.current == nil || time.Since(k.current.made) > clientAge || !k.current.join() {
		fresh, err := k.login(ctx)
		if err != nil {
			return logins{}, err
		}
		if k.current != nil {
			k.current.retire()
		}
		k.current = fresh
	}
	c := k.current
	return logins{
		lane:    func(h Host) authentication { return &ticket{client: c, service: "HTTP/" + serviceName(h)} },
		release: sync.OnceFunc(c.leave),
	}, nil
}

// serviceName is the name under which the domain knows the host.
func serviceName(h Host) string {
	name, _, _ := net.SplitHostPort(h.Address)
	if net.ParseIP(name) != nil {
		return h.Name
	}
	return name
}

// login asks the domain for a ticket, with one user counted.
func (k *kerberos) login(ctx context.Context) (*domainClient, error) {
	t, err := enter(ctx, k.gate)
	if err != nil {
		return nil, err
	}
	// The library's fast armour is not understood by every domain controller.
	plain := client.DisablePAFXFAST(true)
	var c *client.Client
	if k.keytab != nil {
		c = client.NewWithKeytab(k.user, k.realm, k.keytab, k.config, plain)
	} else {
		c = client.NewWithPassword(k.user, k.realm, k.password.Reveal(), k.config, plain)
	}
	err = within(ctx, c.Login, c.Destroy)
	if err == nil {
		t.Accepted()
		return &domainClient{Client: c, made: time.Now(), users: 1}, nil
	}
	if ctx.Err() != nil {
		t.Unknown()
		return nil, &unsentError{err: context.Cause(ctx)}
	}
	return nil, k.refusal(t, err)
}

// refusal says what a failed login means. The library gives the domain's error code only as the symbol in its text, so
// what the domain refused counts as the password refused, but for clocks that differ.
func (k *kerberos) refusal(t *rack.Try, err error) error {
	whom := "the domain " + k.realm
	e, ok := errors.AsType[krberror.Krberror](err)
	skew := strings.Contains(err.Error(), "KRB_AP_ERR_SKEW")
	switch {
	case skew:
		t.Unknown()
		return loginFailed("the clock here and that of %s differ by more than it allows: %w", whom, err)
	case ok && (e.RootCause == krberror.KDCError || e.RootCause == krberror.KRBMsgError):
		return t.RefusedBy(whom, err)
	case ok && e.RootCause == krberror.NetworkingError:
		t.Unknown()
		return &loginError{hostagent.Unreachable, fmt.Errorf("no domain controller of %s answers: %w", k.realm, err)}
	default:
		t.Unknown()
		return loginFailed("no login at %s: %w", whom, err)
	}
}

// within runs what takes no context. The library gives up by itself after 5 s for each domain controller; late is called
// when that is after the context's end.
func within(ctx context.Context, run func() error, late func()) error {
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = run()
	}()
	select {
	case <-done:
		return err
	case <-ctx.Done():
		go func() {
			<-done
			late()
		}()
		return context.Cause(ctx)
	}
}

// join counts one more user, unless the client has none left and is destroyed.
func (c *domainClient) join() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.retired {
		return false
	}
	c.users++
	return true
}

// borrow counts a user whom another one covers: a request, which may outlast the process that it was for.
func (c *domainClient) borrow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.users++
}

func (c *domainClient) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.users--
	if c.users == 0 {
		c.retired = true
		c.Destroy()
	}
}

// retire lets nobody join any more.
func (c *domainClient) retire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retired = true
}

// ticket shows a host the domain's ticket for it with every request. The ticket is asked for once; each request has its
// own proof of it.
type ticket struct {
	client  *domainClient
	service string
}

func (k *ticket) exchange(ctx context.Context, l *lane, body []byte) (*reply, error) {
	token, err := k.token(ctx)
	if err != nil {
		return nil, err
	}
	h := http.Header{}
	h.Set("Authorization", "Negotiate "+base64.StdEncoding.EncodeToString(token))
	r, err := l.post(ctx, post{body: body, header: h, dial: true})
	switch {
	case err != nil:
		return nil, err
	case r.status != http.StatusUnauthorized:
		return r, nil
	case !offers(r, "Negotiate"):
		return nil, notOffered(l, r, "Negotiate", adviceNegotiate)
	default:
		return nil, loginFailed("%s refused the domain's ticket for %s; is this name the host's own, and its clock right?", l.host.Address, k.service)
	}
}

func (k *ticket) token(ctx context.Context) ([]byte, error) {
	var token []byte
	k.client.borrow()
	err := within(ctx, func() error {
		defer k.client.leave()
		t, err := spnego.SPNEGOClient(k.client.Client, k.service).InitSecContext()
		if err != nil {
			return err
		}
		token, err = t.Marshal()
		return err
	}, func() {})
	if ctx.Err() != nil {
		return nil, &unsentError{err: context.Cause(ctx)}
	}
	if e, ok := errors.AsType[krberror.Krberror](err); ok && e.RootCause == krberror.NetworkingError {
		return nil, &loginError{hostagent.Unreachable, fmt.Errorf("no domain controller answers: %w", err)}
	}
	if err != nil {
		return nil, loginFailed("the domain gives no ticket for %s; is this the host's name in the domain? %w", k.service, err)
	}
	return token, nil
}
