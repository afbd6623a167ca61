package hypervsim

import (
	"slices"
	"strconv"
	"strings"

	"guestclustering.io/operator/pkg/hyperv"
)

// membership is a host's part in the host cluster.
type membership struct {
	// member is whether its cluster service takes part; joining whether it is on the way there.
	member, joining bool
	// isolated is whether it is out of membership and the resiliency period of what it ran is not over.
	isolated bool
	paused   bool
	drain    string
	// detection, resiliency and join are what will happen to its membership by itself.
	detection, resiliency, join *event
}

// The drain states of a node ("ClusterNodeDrainStatus").
const (
	drainNotInitiated = "NotInitiated"
	drainInProgress   = "InProgress"
	drainCompleted    = "Completed"
	drainFailed       = "Failed"
)

// available is whether the host takes machines.
func (h *host) available() bool { return h.powered && h.member && !h.paused }

func (h *host) nodeState() string {
	switch {
	case h.joining:
		return "Joining"
	case !h.member:
		return "Down"
	case h.paused:
		return "Paused"
	default:
		return "Up"
	}
}

func (h *host) nodeStatus() string {
	switch {
	case h.isolated:
		return "Isolated"
	case h.drain == drainInProgress:
		return "DrainInProgress"
	case h.drain == drainCompleted:
		return "DrainCompleted"
	case h.drain == drainFailed:
		return "DrainFailed"
	default:
		return "Normal"
	}
}

// quorate is whether a majority of the nodes takes part. A host that has failed counts until that is detected.
func (w *World) quorate() bool {
	n := 0
	for _, h := range w.hosts {
		if h.member {
			n++
		}
	}
	return 2*n > len(w.hosts)
}

// clusterService says why the cluster service of the host cannot be asked, or nothing.
func (c *call) clusterService() error {
	if c.host.member && c.w.quorate() {
		return nil
	}
	return refuse("ConnectionError", hresultNoEndpoint, "ClusterRpcConnection", c.host.name,
		"The cluster service is not running on %s, or the cluster has lost quorum.", c.host.name)
}

var clusterClass = properties[*World]{
	"name":                        func(w *World) any { return w.name },
	"id":                          func(w *World) any { return w.id },
	"clusterfunctionallevel":      func(w *World) any { return w.functionalLevel() },
	"resiliencydefaultperiod":     func(w *World) any { return int64(w.durations.Resiliency.Seconds()) },
	"clusterenforcedantiaffinity": func(*World) any { return 0 },
	"autobalancermode":            func(*World) any { return 0 },
}

// functionalLevel is that of the oldest host: 9 is Windows Server 2016, 10 2019, 11 2022, 12 2025.
func (w *World) functionalLevel() int {
	oldest := w.hosts[0].build
	for _, h := range w.hosts {
		oldest = min(oldest, h.build)
	}
	switch {
	case oldest >= hyperv.Build2025:
		return 12
	case oldest >= hyperv.Build2022:
		return 11
	case oldest >= hyperv.Build2019:
		return 10
	case oldest >= hyperv.Build2016:
		return 9
	default:
		return 8
	}
}

// getCluster answers Get-Cluster.
func getCluster(c *call) error {
	c.emit(view[*World]{c.w, clusterClass, c.w.name})
	return nil
}

var nodeClass = properties[*host]{
	"name":              func(h *host) any { return h.name },
	"nodename":          func(h *host) any { return h.name },
	"id":                func(h *host) any { return strconv.Itoa(h.nodeID) },
	"state":             func(h *host) any { return h.nodeState() },
	"statusinformation": func(h *host) any { return h.nodeStatus() },
	"drainstatus":       func(h *host) any { return h.drain },
	"buildnumber":       func(h *host) any { return h.build },
	"nodeweight":        func(*host) any { return 1 },
}

func nodeView(h *host) object { return view[*host]{h, nodeClass, h.name} }

// getClusterNode answers Get-ClusterNode.
func getClusterNode(c *call) error {
	for _, h := range c.w.hosts {
		if c.wanted(h.name) {
			c.emit(nodeView(h))
		}
	}
	return c.unlessFound(hresultNoNode)
}

// wanted is whether the call asks for an object of that name: for all of them when it names none.
func (c *call) wanted(name string) bool {
	names := c.texts("Name")
	return len(names) == 0 || slices.ContainsFunc(names, func(n string) bool { return matchesName(n, name) })
}

// unlessFound is the error of a call that names an object which is not there.
func (c *call) unlessFound(hresult string) error {
	if len(c.values) > 0 || !c.has("Name") && !c.has("VMId") {
		return nil
	}
	return noClusterObject(hresult, c.text("Name")+c.text("VMId"))
}

func noClusterObject(hresult, what string) *refusal {
	return refuse("ObjectNotFound", hresult, "ClusterObjectNotFound", what, "The cluster has no object %q.", what)
}

var volumeClass = properties[*volume]{
	"name":             func(v *volume) any { return v.name },
	"id":               func(v *volume) any { return v.id },
	"state":            func(*volume) any { return "Online" },
	"ownernode":        func(v *volume) any { return nodeView(v.owner) },
	"sharedvolumeinfo": func(v *volume) any { return []any{volumeInfo(v)} },
}

func volumeInfo(v *volume) record {
	return record{
		"friendlyvolumename": v.path,
		"partition":          record{"size": v.size, "freespace": v.free, "usedspace": v.size - v.free},
	}
}

// getSharedVolume answers Get-ClusterSharedVolume.
func getSharedVolume(c *call) error {
	for _, v := range c.w.volumes {
		if c.wanted(v.name) {
			c.emit(view[*volume]{v, volumeClass, v.name})
		}
	}
	return c.unlessFound(hresultNoResource)
}

// matchesVM is whether a parameter VMId means that machine.
func matchesVM(id string, m *machine) bool { return strings.EqualFold(strings.Trim(id, "{}"), m.id) }
