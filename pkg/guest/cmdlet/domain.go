package cmdlet

import (
	"strings"

	"guestclustering.io/operator/pkg/hostagent"
)

// Join joins the computer to a domain as its name is; ou is a distinguished name, empty for the domain's own container. The
// restart that completes it is a call of its own ("Add-Computer").
func Join(id, domain, ou string, as hostagent.Credential) hostagent.Call {
	parameters := p{"DomainName": hostagent.Text(domain), "Credential": as, "Force": hostagent.Bool(true)}
	if ou != "" {
		parameters["OUPath"] = hostagent.Text(ou)
	}
	return call(id, "Add-Computer", parameters)
}

// ComputerAccounts looks computer objects up by name; one that does not exist gives no value ("Get-ADComputer").
func ComputerAccounts(id, domain string, as hostagent.Credential, names ...string) hostagent.Call {
	return call(id, "Get-ADComputer", p{"LDAPFilter": hostagent.Text(anyOf("cn", names)), "Server": hostagent.Text(domain), "Credential": as},
		"Name", "ObjectGUID", "DistinguishedName", "Enabled")
}

// AccountSIDs looks the SIDs of accounts up by their names without a domain; one that does not exist gives no value
// ("Get-ADObject").
func AccountSIDs(id, domain string, as hostagent.Credential, names ...string) hostagent.Call {
	return call(id, "Get-ADObject", p{
		"LDAPFilter": hostagent.Text(anyOf("sAMAccountName", names)), "Properties": hostagent.Texts("sAMAccountName", "objectSid"),
		"Server": hostagent.Text(domain), "Credential": as,
	}, "sAMAccountName", "objectSid")
}

// ContainerRights reads who may do what in a container of the domain, as SDDL ("Get-ADObject").
func ContainerRights(id, domain string, as hostagent.Credential, container string) hostagent.Call {
	return call(id, "Get-ADObject", p{
		"Identity": hostagent.Text(container), "Properties": hostagent.Texts("nTSecurityDescriptor"), "Server": hostagent.Text(domain), "Credential": as,
	}, "nTSecurityDescriptor.Sddl")
}

// AccountGroups reads the SIDs of an object by its GUID: its own and those of its groups, nested ones too ("Get-ADObject",
// "tokenGroups attribute").
func AccountGroups(id, domain string, as hostagent.Credential, guid string) hostagent.Call {
	return call(id, "Get-ADObject", p{
		"Identity": hostagent.Text(guid), "Properties": hostagent.Texts("objectSid", "tokenGroups"), "Server": hostagent.Text(domain), "Credential": as,
	}, "objectSid", "tokenGroups")
}

// RemoveComputerAccount removes a computer object by its GUID ("Remove-ADComputer").
func RemoveComputerAccount(id, domain string, as hostagent.Credential, guid string) hostagent.Call {
	return call(id, "Remove-ADComputer", p{"Identity": hostagent.Text(guid), "Server": hostagent.Text(domain), "Credential": as})
}

// anyOf is an LDAP filter for objects whose attribute has one of the values ("Search Filter Syntax").
func anyOf(attribute string, values []string) string {
	var b strings.Builder
	b.WriteString("(|")
	for _, v := range values {
		b.WriteString("(" + attribute + "=" + ldapEscape.Replace(v) + ")")
	}
	b.WriteString(")")
	return b.String()
}

var ldapEscape = strings.NewReplacer(`\`, `\5c`, `*`, `\2a`, `(`, `\28`, `)`, `\29`, "\x00", `\00`)
