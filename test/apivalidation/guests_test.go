package apivalidation

// withAddresses has named members; the first has the addresses on networks, in YAML.
func withAddresses(networks string) change {
	return change("spec: {members: {type: Named, count: null, named: [{name: SQL-A, networks: [" + networks + "]}, {name: SQL-B}]}}")
}

// clientNetwork has a client network with more fields.
func clientNetwork(fields string) change {
	return change("spec: {machine: {networks: [{name: client, purpose: Client, hostNetwork: client, " + fields +
		"}, {name: cluster, purpose: Cluster, hostNetwork: cluster}]}}")
}

func setups(fields ...string) []change {
	changes := make([]change, len(fields))
	for i, f := range fields {
		changes[i] = change("spec: {machine: {setup: {" + f + "}}}")
	}
	return changes
}

func accesses(fields ...string) []change {
	changes := make([]change, len(fields))
	for i, f := range fields {
		changes[i] = change("spec: {guestAccess: {" + f + "}}")
	}
	return changes
}

var _ = declare("GuestCluster", map[string]rule{
	"a member's networks are its machine's": {
		manifest: clustered,
		accepted: []change{withAddresses(`{name: client, addresses: [10.0.1.11/24]}, {name: cluster, addresses: [192.168.10.11/24]}`)},
		refused:  []change{withAddresses(`{name: lan, addresses: [10.0.1.11/24]}`)},
		path:     "spec.members.named",
		message:  "a member's networks are entries of machine.networks; add the network there, or correct the name",
	},
	"a member's addresses": {
		manifest: clustered,
		accepted: []change{withAddresses(`{name: client, addresses: [10.0.1.11/24, "fd00::11/64"]}`)},
		refused: []change{
			withAddresses(`{name: client, addresses: [10.0.1.11]}`), withAddresses(`{name: client, addresses: [10.0.1.11/33]}`),
			withAddresses(`{name: client, addresses: [10.0.1/24]}`), withAddresses(`{name: client, addresses: [10.0.1.11/255.255.255.0]}`),
		},
		path:    "spec.members.named[0].networks[0].addresses[0]",
		message: "an address is an IP address with its prefix length, such as 10.0.1.11/24",
	},
	"gateways lead out of client networks": {
		manifest: clustered,
		accepted: []change{clientNetwork(`gateways: [10.0.1.1], dnsServers: [10.0.1.2, 10.0.1.3]`)},
		refused: []change{
			`spec: {machine: {networks: [{name: cluster, purpose: Cluster, hostNetwork: cluster, gateways: [192.168.10.1]}]}}`,
			`spec: {machine: {networks: [{name: cluster, purpose: Cluster, hostNetwork: cluster, dnsServers: [10.0.1.2]}]}}`,
		},
		path:    "spec.machine.networks[0]",
		message: "gateways and dnsServers are for a network with purpose Client: the cluster's own network leads nowhere else and registers in no DNS; leave them out here",
	},
	"a gateway": {
		manifest: clustered,
		accepted: []change{clientNetwork(`gateways: ["fd00::1"]`)},
		refused:  []change{clientNetwork(`gateways: [10.0.1.1/24]`), clientNetwork(`gateways: [router]`)},
		path:     "spec.machine.networks[0].gateways[0]",
		message:  "a gateway is an IP address without a prefix length, such as 10.0.1.1",
	},
	"one gateway of a family": {
		manifest: clustered,
		accepted: []change{clientNetwork(`gateways: [10.0.1.1, "fd00::1"]`)},
		refused:  []change{clientNetwork(`gateways: [10.0.1.1, 10.0.1.2]`)},
		path:     "spec.machine.networks[0].gateways",
		message:  "a network has one default gateway of each address family; leave one",
	},
	"a DNS server": {
		manifest: clustered,
		accepted: []change{clientNetwork(`dnsServers: ["fd00::2"]`)},
		refused:  []change{clientNetwork(`dnsServers: [dc01.corp.example]`)},
		path:     "spec.machine.networks[0].dnsServers[0]",
		message:  "a DNS server is given by its IP address, such as 10.0.1.2",
	},
	"a time zone": {
		manifest: guestCluster,
		accepted: setups(`timeZone: W. Europe Standard Time`, `timeZone: Central Standard Time (Mexico)`, `timeZone: UTC-02`, `timeZone: UTC+13`, `timeZone: Tokyo Standard Time_dstoff`),
		refused:  setups(`timeZone: Europe/Berlin`, `timeZone: "+02:00"`, `timeZone: "<x>"`),
		path:     "spec.machine.setup.timeZone",
		message:  "a time zone is named as Windows names it, such as W. Europe Standard Time; tzutil /l lists them",
	},
	"a locale": {
		manifest: guestCluster,
		accepted: setups(`locale: de-DE`, `locale: sr-Latn-RS`, `locale: es-419`),
		refused:  setups(`locale: de`, `locale: de_DE.UTF-8`, `locale: DE-de`, `locale: German`),
		path:     "spec.machine.setup.locale",
		message:  "a locale is a language and a region, such as en-US",
	},
	"the account of guestAccess is the domain's": {
		manifest: clustered,
		accepted: accesses(`credentialsSecretRef: {name: sql-ops}`),
		refused: []change{
			`spec: {guestAccess: {credentialsSecretRef: {name: sql-ops}}, clustering: null}`,
			`spec: {guestAccess: {credentialsSecretRef: {name: sql-ops}}, clustering: {failover: {domain: null}}}`,
		},
		path:    "spec.guestAccess.credentialsSecretRef",
		message: "credentialsSecretRef is an account of the domain that members join; give clustering.failover.domain, or leave it out: members of a workgroup are asked as their local administrator",
	},
	"members go, and two stay": {
		manifest: guestCluster,
		from:     []change{`spec: {members: {count: 4}}`},
		accepted: []change{`spec: {members: {count: 2}}`},
		refused:  []change{`spec: {members: {count: 1}}`},
		path:     "spec.members",
		message:  "a guest cluster needs at least 2 members; for a single VM clustering adds nothing",
	},
	"named members go, and two stay": {
		manifest: guestCluster,
		from:     []change{named("SQL-A", "SQL-B", "SQL-C")},
		accepted: []change{named("SQL-A", "SQL-C"), named("SQL-C", "SQL-D")},
		refused:  []change{named("SQL-B")},
		path:     "spec.members",
		message:  "a guest cluster needs at least 2 members; for a single VM clustering adds nothing",
	},
})
