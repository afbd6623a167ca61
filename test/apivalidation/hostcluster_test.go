package apivalidation

import "strings"

// fingerprint is that of a certificate.
const fingerprint = "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:00"

const nameSentence = "a name here is lower-case letters, digits and hyphens, such as gold-2"

var _ = declare("HostCluster", map[string]rule{
	"settings of WinRM": {
		manifest: overWinRM,
		accepted: []change{`{}`},
		refused:  []change{`spec: {agent: {winRM: null}}`},
		path:     "spec.agent",
		message:  "give winRM when type is WinRM, and only then",
	},
	"settings of SSH": {
		manifest: overSSH,
		accepted: []change{`{}`},
		refused:  []change{`spec: {agent: {ssh: null}}`},
		path:     "spec.agent",
		message:  "give ssh when type is SSH, and only then",
	},
	"HTTP is for NTLM": {
		manifest: overWinRM,
		accepted: []change{`spec: {agent: {winRM: {transport: HTTP, authentication: NTLM}}}`},
		refused: []change{
			`spec: {agent: {winRM: {transport: HTTP}}}`,
			`spec: {agent: {winRM: {transport: HTTP, authentication: Basic}}}`,
			`spec: {agent: {winRM: {transport: HTTP, authentication: Certificate}}}`,
		},
		path:    "spec.agent.winRM",
		message: "over HTTP only NTLM is possible, which seals every message; use transport HTTPS",
	},
	"there are no certificates over HTTP": {
		manifest: overWinRM,
		accepted: []change{
			`spec: {agent: {winRM: {caBundle: {configMapRef: {name: ca}}, serverName: hv.corp.example, certificateFingerprints: ["` + fingerprint + `"]}}}`,
		},
		refused: []change{
			`spec: {agent: {winRM: {transport: HTTP, authentication: NTLM, caBundle: {configMapRef: {name: ca}}}}}`,
			`spec: {agent: {winRM: {transport: HTTP, authentication: NTLM, serverName: hv.corp.example}}}`,
			`spec: {agent: {winRM: {transport: HTTP, authentication: NTLM, certificateFingerprints: ["` + fingerprint + `"]}}}`,
		},
		path:    "spec.agent.winRM",
		message: "caBundle, serverName and certificateFingerprints are for transport HTTPS; over HTTP leave them out",
	},
	"one source of authorities": {
		manifest: overWinRM,
		accepted: []change{`spec: {agent: {winRM: {caBundle: {secretRef: {name: ca, key: tls.crt}}}}}`},
		refused: []change{
			`spec: {agent: {winRM: {caBundle: {}}}}`,
			`spec: {agent: {winRM: {caBundle: {secretRef: {name: ca}, configMapRef: {name: ca}}}}}`,
		},
		path:    "spec.agent.winRM.caBundle",
		message: "give either configMapRef or secretRef",
	},
	"a certificate's fingerprint": {
		manifest: overWinRM,
		accepted: []change{change(`spec: {agent: {winRM: {certificateFingerprints: ["` + strings.ReplaceAll(fingerprint, ":", "") + `"]}}}`)},
		refused:  []change{change(`spec: {agent: {winRM: {certificateFingerprints: ["` + strings.TrimSuffix(fingerprint, ":00") + `"]}}}`)},
		path:     "spec.agent.winRM.certificateFingerprints[0]",
		message:  "a fingerprint is a SHA-256 digest: 64 hexadecimal digits, with or without colons",
	},
	"a host's name": {
		manifest: overWinRM,
		accepted: []change{`spec: {agent: {winRM: {hosts: [{name: HV01}, {name: hv-02.corp.example, address: 10.0.0.2, port: 5999}]}}}`},
		refused: []change{
			`spec: {agent: {winRM: {hosts: [{name: "hv01:5986"}]}}}`,
			`spec: {agent: {winRM: {hosts: [{name: "https://hv01"}]}}}`,
			`spec: {agent: {winRM: {hosts: [{name: "fe80::1"}]}}}`,
			`spec: {agent: {winRM: {hosts: [{name: "hv01."}]}}}`,
		},
		path:    "spec.agent.winRM.hosts[0].name",
		message: "a host is named by its name in DNS or its computer name, such as hv01.corp.example; an IP address goes into address",
	},
	"a host's name, over SSH": {
		manifest: overSSH,
		accepted: []change{`spec: {agent: {ssh: {hosts: [{name: HV01}]}}}`},
		refused:  []change{`spec: {agent: {ssh: {hosts: [{name: "operator@hv01"}]}}}`},
		path:     "spec.agent.ssh.hosts[0].name",
		message:  "a host is named by its name in DNS or its computer name, such as hv01.corp.example; an IP address goes into address",
	},
	"a host's address": {
		manifest: overWinRM,
		accepted: []change{`spec: {agent: {winRM: {hosts: [{name: hv01, address: 10.0.0.1}]}}}`},
		refused:  []change{`spec: {agent: {winRM: {hosts: [{name: hv01, address: "https://10.0.0.1"}]}}}`},
		path:     "spec.agent.winRM.hosts[0].address",
		message:  "an address is an IP address or a name in DNS, without a port; the port goes into port",
	},
	"a host's address, over SSH": {
		manifest: overSSH,
		accepted: []change{`spec: {agent: {ssh: {hosts: [{name: hv01, address: "fe80::1"}, {name: hv02, address: hv02.old.example}]}}}`},
		refused:  []change{`spec: {agent: {ssh: {hosts: [{name: hv01, address: "hv01 22"}]}}}`, `spec: {agent: {ssh: {hosts: [{name: hv01, address: "hv01/22"}]}}}`},
		path:     "spec.agent.ssh.hosts[0].address",
		message:  "an address is an IP address or a name in DNS, without a port; the port goes into port",
	},
	"the agent's settings are those of its type": {
		manifest: hostCluster,
		accepted: []change{`{}`},
		refused:  []change{`spec: {agent: {simulated: null}}`},
		path:     "spec.agent",
		message:  "give simulated when type is Simulated, and only then",
	},
	"the simulator's address": {
		manifest: hostCluster,
		accepted: []change{
			`spec: {agent: {simulated: {address: "sim.corp.example:7100"}}}`,
			`spec: {agent: {simulated: {address: "[::1]:7100"}}}`,
		},
		refused: []change{
			`spec: {agent: {simulated: {address: "127.0.0.1"}}}`,
			`spec: {agent: {simulated: {address: "http://127.0.0.1:7100"}}}`,
			`spec: {agent: {simulated: {address: "::1:7100"}}}`,
		},
		path:    "spec.agent.simulated.address",
		message: "an address is host:port, such as 127.0.0.1:7100",
	},
	"a pool's name": {
		manifest: hostCluster,
		accepted: []change{`spec: {storagePools: [{name: gold-2, path: 'C:\ClusterStorage\Gold'}]}`},
		refused: []change{
			`spec: {storagePools: [{name: Gold, path: 'C:\ClusterStorage\Gold'}]}`,
			`spec: {storagePools: [{name: gold-, path: 'C:\ClusterStorage\Gold'}]}`,
		},
		path:    "spec.storagePools[0].name",
		message: nameSentence,
	},
	"a pool is on a CSV": {
		manifest: hostCluster,
		accepted: []change{
			`spec: {storagePools: [{name: gold, path: 'C:\ClusterStorage\Gold'}]}`,
			`spec: {storagePools: [{name: gold, path: 'd:\clusterstorage\Volume1\Guest clusters'}]}`,
		},
		refused: []change{
			`spec: {storagePools: [{name: gold, path: 'D:\Gold'}]}`,
			`spec: {storagePools: [{name: gold, path: 'C:\ClusterStorage'}]}`,
			`spec: {storagePools: [{name: gold, path: 'C:\ClusterStorage\Gold\'}]}`,
			`spec: {storagePools: [{name: gold, path: 'C:/ClusterStorage/Gold'}]}`,
			`spec: {storagePools: [{name: gold, path: 'C:\ClusterStorage\Gold\..\..\Windows'}]}`,
			`spec: {storagePools: [{name: gold, path: '\\files\Gold'}]}`,
		},
		path:    "spec.storagePools[0].path",
		message: `a storage pool is a folder on a Cluster Shared Volume, such as C:\ClusterStorage\Gold, without a backslash at its end`,
	},
	"a pool's path is fixed": {
		manifest: hostCluster,
		from:     []change{`spec: {storagePools: [{name: gold, path: 'C:\ClusterStorage\Gold'}]}`},
		accepted: []change{
			`spec: {storagePools: []}`,
			`spec: {storagePools: [{name: silver, path: 'C:\ClusterStorage\Silver'}, {name: gold, path: 'C:\ClusterStorage\Gold'}]}`,
		},
		refused: []change{`spec: {storagePools: [{name: silver, path: 'C:\ClusterStorage\Gold'}, {name: gold, path: 'C:\ClusterStorage\Silver'}]}`},
		path:    "spec.storagePools[1].path",
		message: "a storage pool's path is fixed; add another pool for the other folder",
	},
	"an image's name": {
		manifest: hostCluster,
		accepted: []change{`spec: {images: [{name: ws2022, path: 'C:\ClusterStorage\Gold\ws2022.vhdx', os: WindowsServer2022}]}`},
		refused:  []change{`spec: {images: [{name: WS2022, path: 'C:\ClusterStorage\Gold\ws2022.vhdx', os: WindowsServer2022}]}`},
		path:     "spec.images[0].name",
		message:  nameSentence,
	},
	"an image's path": {
		manifest: hostCluster,
		accepted: []change{
			`spec: {images: [{name: ws2022, path: 'C:\ws2022.VHDX', os: WindowsServer2022}]}`,
			`spec: {images: [{name: ws2022, path: 'C:\ClusterStorage\Gold\Images\ws 2022.1.vhdx', os: WindowsServer2022}]}`,
		},
		refused: []change{
			`spec: {images: [{name: ws2022, path: 'ws2022.vhdx', os: WindowsServer2022}]}`,
			`spec: {images: [{name: ws2022, path: 'C:\ClusterStorage\Gold\ws2022.vhd', os: WindowsServer2022}]}`,
			`spec: {images: [{name: ws2022, path: 'C:\ClusterStorage\Gold\..\ws2022.vhdx', os: WindowsServer2022}]}`,
			`spec: {images: [{name: ws2022, path: 'C:\ClusterStorage\Gold\*.vhdx', os: WindowsServer2022}]}`,
		},
		path:    "spec.images[0].path",
		message: `an image is the full path of a .vhdx file, such as C:\ClusterStorage\Gold\Images\ws2022.vhdx`,
	},
	"a network's name": {
		manifest: hostCluster,
		accepted: []change{`spec: {networks: [{name: client, switchName: vSwitch-Client, vlan: {id: 4094}}]}`},
		refused:  []change{`spec: {networks: [{name: client_1, switchName: vSwitch-Client}]}`},
		path:     "spec.networks[0].name",
		message:  nameSentence,
	},
	"a range's name": {
		manifest: hostCluster,
		accepted: []change{`spec: {macAddressRanges: [{name: a, first: 02-A1-01-00-00-00, last: 02-A1-01-00-00-00}]}`},
		refused:  []change{`spec: {macAddressRanges: [{name: A, first: 02-A1-01-00-00-00, last: 02-A1-01-00-FF-FF}]}`},
		path:     "spec.macAddressRanges[0].name",
		message:  nameSentence,
	},
	"a range's first address": {
		manifest: hostCluster,
		accepted: []change{`spec: {macAddressRanges: [{name: a, first: 02-A1-01-00-00-00, last: 02-A1-01-00-FF-FF}]}`},
		refused: []change{
			`spec: {macAddressRanges: [{name: a, first: 02-A1-01-00-00, last: 02-A1-01-00-FF-FF}]}`,
			`spec: {macAddressRanges: [{name: a, first: 02-A1-0G-00-00-00, last: 02-A1-FF-00-00-00}]}`,
			`spec: {macAddressRanges: [{name: a, first: 02-A1-01.00-00-00, last: 02-A1-02-00-FF-FF}]}`,
		},
		path:    "spec.macAddressRanges[0].first",
		message: "a MAC address is six pairs of hexadecimal digits in capitals with dashes, such as 02-A1-01-00-00-00",
	},
	"a range is unicast": {
		manifest: hostCluster,
		accepted: []change{`spec: {macAddressRanges: [{name: a, first: AE-A1-01-00-00-00, last: AE-A1-01-00-FF-FF}]}`},
		refused:  []change{`spec: {macAddressRanges: [{name: a, first: 03-A1-01-00-00-00, last: 03-A1-01-00-FF-FF}]}`},
		path:     "spec.macAddressRanges[0].first",
		message:  "an adapter cannot have a multicast address: the second digit must be even, such as in 02-A1-01-00-00-00",
	},
	"a range's last address": {
		manifest: hostCluster,
		accepted: []change{`spec: {macAddressRanges: [{name: a, first: 02-A1-01-00-00-00, last: 02-A2-00-00-00-00}]}`},
		refused: []change{
			`spec: {macAddressRanges: [{name: a, first: 02-A1-01-00-00-00, last: 02-A1-01-00-FF}]}`,
			`spec: {macAddressRanges: [{name: a, first: 02-A1-01-00-00-00, last: 02-a1-01-00-ff-ff}]}`,
			`spec: {macAddressRanges: [{name: a, first: 02-A1-01-00-00-00, last: "02:A1:01:00:FF:FF"}]}`,
		},
		path:    "spec.macAddressRanges[0].last",
		message: "a MAC address is six pairs of hexadecimal digits in capitals with dashes, such as 02-A1-01-00-00-00",
	},
	"a range's ends": {
		manifest: hostCluster,
		accepted: []change{`spec: {macAddressRanges: [{name: a, first: 02-A1-01-00-00-00, last: 02-A1-01-00-00-00}]}`},
		refused:  []change{`spec: {macAddressRanges: [{name: a, first: 02-A1-01-00-00-01, last: 02-A1-01-00-00-00}]}`},
		path:     "spec.macAddressRanges[0]",
		message:  "last is below first; exchange the two",
	},
	"a range's first octet": {
		manifest: hostCluster,
		accepted: []change{`spec: {macAddressRanges: [{name: a, first: 02-00-00-00-00-00, last: 02-FF-FF-FF-FF-FF}]}`},
		refused:  []change{`spec: {macAddressRanges: [{name: a, first: 02-00-00-00-00-00, last: 04-00-00-00-00-00}]}`},
		path:     "spec.macAddressRanges[0]",
		message:  "first and last must begin with the same two digits, or the range holds multicast addresses",
	},
	"ranges are disjoint": {
		manifest: hostCluster,
		accepted: []change{`spec: {macAddressRanges: [{name: b, first: 02-A1-01-00-01-00, last: 02-A1-01-00-01-FF}, {name: a, first: 02-A1-01-00-00-00, last: 02-A1-01-00-00-FF}]}`},
		refused:  []change{`spec: {macAddressRanges: [{name: a, first: 02-A1-01-00-00-00, last: 02-A1-01-00-01-00}, {name: b, first: 02-A1-01-00-01-00, last: 02-A1-01-00-01-FF}]}`},
		path:     "spec.macAddressRanges",
		message:  "two ranges of MAC addresses overlap; make them disjoint",
	},
	"a selector belongs to from Selector": {
		manifest: hostCluster,
		accepted: []change{
			`spec: {allowedNamespaces: {}}`,
			`spec: {allowedNamespaces: {from: All}}`,
			`spec: {allowedNamespaces: {from: Selector, selector: {matchLabels: {hyperv: allowed}}}}`,
		},
		refused: []change{
			`spec: {allowedNamespaces: {from: Selector}}`,
			`spec: {allowedNamespaces: {selector: {matchLabels: {hyperv: allowed}}}}`,
			`spec: {allowedNamespaces: {from: All, selector: {}}}`,
		},
		path:    "spec.allowedNamespaces",
		message: "give selector when from is Selector, and only then",
	},
	"a selector is bounded": {
		manifest: hostCluster,
		accepted: []change{change("spec: {allowedNamespaces: {from: Selector, selector: {matchLabels: {" + numbered(16, "l%d: x", ", ") + "}}}}")},
		refused: []change{
			change("spec: {allowedNamespaces: {from: Selector, selector: {matchLabels: {" + numbered(17, "l%d: x", ", ") + "}}}}"),
			change("spec: {allowedNamespaces: {from: Selector, selector: {matchExpressions: [" + numbered(17, "{key: l%d, operator: Exists}", ", ") + "]}}}"),
		},
		path:    "spec.allowedNamespaces.selector",
		message: "a selector has at most 16 labels and 16 expressions",
	},
	"the poll interval": {
		manifest: hostCluster,
		accepted: []change{`spec: {pollInterval: 1s}`, `spec: {pollInterval: 1m30s}`, `spec: {pollInterval: 1h}`},
		refused: []change{
			`spec: {pollInterval: 0s}`, `spec: {pollInterval: 1h1s}`, `spec: {pollInterval: "30"}`,
			`spec: {pollInterval: 5 minutes}`, `spec: {pollInterval: -30s}`, `spec: {pollInterval: 500ms}`,
		},
		path:    "spec.pollInterval",
		message: "pollInterval is a duration from 1s to 1h, such as 30s",
	},
})
