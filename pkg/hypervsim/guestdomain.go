package hypervsim

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim/windows"
)

func init() {
	inGuests(map[string]command{
		"Add-Computer":      {changing, needsHost, addComputer},
		"Get-ADComputer":    {reading, needsHost, needsFeature(windows.ADPowerShell, getADComputer)},
		"Get-ADObject":      {reading, needsHost, needsFeature(windows.ADPowerShell, getADObject)},
		"Remove-ADComputer": {changing, needsHost, needsFeature(windows.ADPowerShell, removeADComputer)},
	})
}

// addComputer answers Add-Computer for a domain. Whatever the domain refuses comes as one error; what it is stands in its
// message alone.
func addComputer(c *call) error {
	m, s := c.guest.machine, c.system()
	name := c.text("DomainName")
	if s.Membership() != nil && s.Membership().Domain.Is(name) {
		return refuse("InvalidOperation", hresultInvalidState, "AddComputerToSameDomain", s.Name(),
			"Cannot add computer '%s' to domain '%s' because it is already in that domain.", s.Name(), name)
	}
	if err := c.lastsInside(c.w.durations.JoinDomain); err != nil {
		return err
	}
	credential, _ := c.args["credential"].(hostagent.Credential)
	request := windows.JoinRequest{Container: c.text("OUPath"), User: credential.User, Password: credential.Password.Reveal()}
	if c.w.domain != nil && c.w.domain.Is(name) && c.w.reachesDomain(m) {
		request.Domain = c.w.domain
	}
	if err := s.Join(request); err != nil {
		return refuse("OperationStopped", hresultInvalidState, "FailToJoinDomainFromWorkgroup", s.Name(),
			"Computer '%s' failed to join domain '%s' from its current workgroup 'WORKGROUP' with following error message: %s", s.Name(), name, err)
	}
	c.did("joined VM " + m.name + " as " + s.Name() + " to domain " + c.w.domain.Name)
	return nil
}

// askDirectory is the domain that a call asks, and the account as which it does.
func (c *call) askDirectory() (*windows.Domain, *windows.DomainAccount, error) {
	server := c.text("Server")
	d := c.w.domain
	if d == nil || !c.w.reachesDomain(c.guest.machine) || server != "" && !d.Is(server) {
		return nil, nil, refuse("ResourceUnavailable", hresultItemNotFound, "ActiveDirectoryServer:0", server,
			"Unable to contact the server. This may be because this server does not exist, it is currently down, or it does not have the Active Directory Web Services running.")
	}
	credential, _ := c.args["credential"].(hostagent.Credential)
	account, err := d.LogOn(credential.User, credential.Password.Reveal())
	if err != nil {
		return nil, nil, refuse("SecurityError", hresultItemNotFound, "ActiveDirectoryCmdlet:System.Security.Authentication.AuthenticationException", server,
			"The server has rejected the client credentials.")
	}
	return d, account, nil
}

func noIdentity(identity string, d *windows.Domain) *refusal {
	return refuse("ObjectNotFound", hresultItemNotFound, "ActiveDirectoryCmdlet:Microsoft.ActiveDirectory.Management.ADIdentityNotFoundException", identity,
		"Cannot find an object with identity: '%s' under: '%s'.", identity, d.DistinguishedName())
}

// ldapTerm is one comparison of an LDAP filter.
var (
	ldapFilter = regexp.MustCompile(`^(\(\|(\([A-Za-z]+=[^()]+\))+\)|\([A-Za-z]+=[^()]+\))$`)
	ldapTerm   = regexp.MustCompile(`\(([A-Za-z]+)=([^()]+)\)`)
	ldapEscape = regexp.MustCompile(`\\[0-9a-fA-F]{2}`)
)

// matcher makes of an LDAP filter what decides whether an object with these attributes fits: comparisons, one of which must
// hold.
func matcher(filter string) (func(record) bool, error) {
	if !ldapFilter.MatchString(filter) {
		return nil, refuse("InvalidArgument", hresultParameter, "ActiveDirectoryCmdlet:Microsoft.ActiveDirectory.Management.ADFilterParsingException", filter,
			"The search filter cannot be recognized: of filters, alternatives of comparisons alone are simulated.")
	}
	terms := ldapTerm.FindAllStringSubmatch(filter, -1)
	return func(r record) bool {
		return slices.ContainsFunc(terms, func(t []string) bool {
			value, ok := r[strings.ToLower(t[1])].(string)
			return ok && strings.EqualFold(value, unescapeLDAP(t[2]))
		})
	}, nil
}

func unescapeLDAP(text string) string {
	return ldapEscape.ReplaceAllStringFunc(text, func(escaped string) string {
		b, err := strconv.ParseUint(escaped[1:], 16, 8)
		if err != nil {
			return escaped
		}
		return string([]byte{byte(b)})
	})
}

func computerRecord(d *windows.Domain, computer *windows.Computer) record {
	return record{
		"name": computer.Name, "cn": computer.Name, "samaccountname": computer.Name + "$", "objectguid": computer.GUID, "objectsid": computer.SID, "sid": computer.SID,
		"distinguishedname": computer.DistinguishedName, "enabled": computer.Enabled, "objectclass": "computer", "tokengroups": list(d.GroupSIDs(computer)),
	}
}

// directoryObjects are all objects of the domain that calls are about, its containers apart.
func directoryObjects(d *windows.Domain) []record {
	var out []record
	for _, computer := range d.Computers {
		out = append(out, computerRecord(d, computer))
	}
	for _, a := range d.Accounts {
		out = append(out, record{
			"name": a.Name, "cn": a.Name, "samaccountname": a.Name, "objectsid": a.SID, "objectclass": "user",
			"distinguishedname": "CN=" + a.Name + ",CN=Users," + d.DistinguishedName(), "tokengroups": list(d.GroupSIDs(nil)),
		})
	}
	return out
}

func getADComputer(c *call) error {
	d, _, err := c.askDirectory()
	if err != nil {
		return err
	}
	if c.has("Identity") {
		computer := computerMeant(d, c.text("Identity"))
		if computer == nil {
			return noIdentity(c.text("Identity"), d)
		}
		c.emit(computerRecord(d, computer))
		return nil
	}
	matches, err := matcher(c.text("LDAPFilter"))
	if err != nil {
		return err
	}
	for _, computer := range d.Computers {
		if r := computerRecord(d, computer); matches(r) {
			c.emit(r)
		}
	}
	return nil
}

// computerMeant finds a computer object by its GUID, SID, name or distinguished name, or nil.
func computerMeant(d *windows.Domain, identity string) *windows.Computer {
	if computer := d.ComputerByGUID(identity); computer != nil {
		return computer
	}
	i := slices.IndexFunc(d.Computers, func(o *windows.Computer) bool {
		return slices.ContainsFunc([]string{o.SID, o.Name, o.Name + "$", o.DistinguishedName}, func(s string) bool { return strings.EqualFold(s, identity) })
	})
	if i < 0 {
		return nil
	}
	return d.Computers[i]
}

// always are the properties that Get-ADObject gives without being asked.
var always = []string{"name", "objectguid", "distinguishedname", "objectclass"}

func getADObject(c *call) error {
	d, _, err := c.askDirectory()
	if err != nil {
		return err
	}
	found, err := c.objectsMeant(d)
	if err != nil {
		return err
	}
	wanted := slices.Clone(always)
	for _, name := range c.texts("Properties") {
		wanted = append(wanted, strings.ToLower(name))
	}
	for _, r := range found {
		shown := record{}
		for _, name := range wanted {
			shown[name] = r[name]
		}
		c.emit(shown)
	}
	return nil
}

// objectsMeant are those that Identity or LDAPFilter names.
func (c *call) objectsMeant(d *windows.Domain) ([]record, error) {
	identity := c.text("Identity")
	if c.has("Identity") && d.HasContainer(identity) {
		name, _, _ := strings.Cut(identity, ",")
		_, name, _ = strings.Cut(name, "=")
		return []record{{
			"name": name, "distinguishedname": identity, "objectclass": "organizationalUnit", "ntsecuritydescriptor": record{"sddl": d.Descriptor(identity)},
		}}, nil
	}
	matches := func(r record) bool {
		return strings.EqualFold(asText(r["objectguid"]), strings.Trim(identity, "{}")) || strings.EqualFold(asText(r["distinguishedname"]), identity)
	}
	if !c.has("Identity") {
		var err error
		if matches, err = matcher(c.text("LDAPFilter")); err != nil {
			return nil, err
		}
	}
	found := slices.DeleteFunc(directoryObjects(d), func(r record) bool { return !matches(r) })
	if len(found) == 0 && c.has("Identity") {
		return nil, noIdentity(identity, d)
	}
	return found, nil
}

func removeADComputer(c *call) error {
	d, by, err := c.askDirectory()
	if err != nil {
		return err
	}
	computer := computerMeant(d, c.text("Identity"))
	if computer == nil {
		return noIdentity(c.text("Identity"), d)
	}
	if err := d.Remove(by.SID, computer); errors.Is(err, windows.ErrAccessDenied) {
		return refuse("PermissionDenied", hresultAccessDenied, "ActiveDirectoryServer:8344", computer.DistinguishedName, "Insufficient access rights to perform the operation")
	}
	c.did("removed computer object " + computer.Name + " (" + computer.GUID + ")")
	return nil
}
