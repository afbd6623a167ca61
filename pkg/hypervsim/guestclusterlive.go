package hypervsim

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"guestclustering.io/operator/pkg/hypervsim/failover"
	"guestclustering.io/operator/pkg/hypervsim/windows"
)

// What named functions run in guests; no batch does.
func init() {
	inGuests(map[string]command{
		"Get-ClusterParameter": {reading, needsHost, inCluster(getInnerParameter)},
		"Add-ClusterDisk":      {changing, needsHost, inCluster(addClusterDisk)},
		"Test-Cluster":         {func(d *Durations) time.Duration { return d.Validate }, needsHost, needsFeature(windows.ClusterPowerShell, testCluster)},
		"New-SmbShare":         {changing, needsHost, newSMBShare},
	})
}

// availableDisk is a disk that could become a cluster disk.
type availableDisk struct {
	cluster *failover.Cluster
	disk    failover.Disk
}

var availableDiskClass = properties[availableDisk]{
	"id":     func(d availableDisk) any { return d.disk.GUID },
	"name":   func(d availableDisk) any { return "Cluster Disk " + strconv.FormatInt(d.disk.Number, 10) },
	"number": func(d availableDisk) any { return d.disk.Number },
	"size":   func(d availableDisk) any { return d.disk.SizeBytes },
}

func availableDiskView(c *failover.Cluster, d failover.Disk) object {
	return view[availableDisk]{availableDisk{c, d}, availableDiskClass, d.GUID}
}

// getInnerParameter answers Get-ClusterParameter for the private properties of resources.
func getInnerParameter(c *call, _ *failover.Node) error {
	for _, r := range given[*failover.Resource](c, "InputObject") {
		for _, name := range slices.Sorted(maps.Keys(r.Properties)) {
			if !c.wanted(name) {
				continue
			}
			value := r.Properties[name]
			if name == "ObjectGUID" {
				value = octets(value)
			}
			c.emit(record{"name": name, "value": value, "clusterobject": innerResourceView(r)})
		}
	}
	return c.unlessFound(hresultNoResource)
}

// addClusterDisk answers Add-ClusterDisk.
func addClusterDisk(c *call, n *failover.Node) error {
	for _, d := range given[availableDisk](c, "InputObject") {
		r, err := n.Cluster().AddDisk(d.disk.GUID)
		if err != nil {
			return err
		}
		c.did("made disk " + d.disk.GUID + " the cluster disk " + r.Name)
		c.emit(innerResourceView(r))
	}
	return nil
}

// testCluster answers Test-Cluster: it gives a page, and leaves the report among the others of the node.
func testCluster(c *call) error {
	for _, node := range c.texts("Node") {
		if err := c.secondHop(node); err != nil && !strings.EqualFold(node, c.system().Name()) {
			return err
		}
	}
	report, err := c.validate(c.texts("Node"), c.texts("Ignore"))
	if err != nil {
		return err
	}
	path := c.text("ReportName")
	if path == "" {
		path = `C:\Windows\Temp\Validation Report`
	}
	f, path := c.files(), strings.TrimSuffix(path, ".htm")
	f.write(f.key(`C:\Windows\Cluster\Reports\Validation Data For Node Set `+strings.Join(report.Nodes, ", ")+".xml"), report.XML())
	f.write(f.key(path+".htm"), "<html></html>")
	c.did("validated " + strings.Join(report.Nodes, ", "))
	c.emit(f.fileRecord(f.key(path + ".htm")))
	return nil
}

// newSMBShare answers New-SmbShare for shares of roles.
func newSMBShare(c *call) error {
	n := c.w.services.node(c.guest.machine)
	name, scope := c.text("Name"), c.text("ScopeName")
	if n == nil || !n.Serves() || n.Cluster().Group(scope) == nil {
		return refuse("ObjectNotFound", hresultNone, "Windows System Error 53", scope, "The network name %q was not found.", scope)
	}
	g := n.Cluster().Group(scope)
	if g.Owner != n {
		return refuse("ObjectNotFound", hresultNone, "Windows System Error 53", scope, "The network name %q is not on this node.", scope)
	}
	share := failover.Share{Name: name, ScopeName: g.Name, Path: c.text("Path"), ContinuouslyAvailable: c.flag("ContinuouslyAvailable")}
	if err := n.Cluster().AddShare(g, share); err != nil {
		return asInner(err)
	}
	c.did(`made share \\` + g.Name + `\` + name)
	c.emit(record{"name": name, "scopename": g.Name, "path": share.Path, "continuouslyavailable": share.ContinuouslyAvailable})
	return nil
}

// setInner sets a property of an object of a cluster inside, as far as one can be set, and tells what it did.
func setInner(o object, property string, value []string) (effect string, err error) {
	if len(value) != 1 {
		return "", fmt.Errorf("%w: %s takes one value", errNoProperty, property)
	}
	property = strings.ToLower(property)
	switch o := o.(type) {
	case view[*failover.Resource]:
		if property == "name" {
			return "renamed resource " + o.of.Name + " to " + value[0], o.of.Cluster().Rename(o.of, value[0])
		}
	case view[innerNetwork]:
		return setInnerNetwork(o.of, property, value[0])
	case view[*failover.Cluster]:
		return setInnerThreshold(o.of, property, value[0])
	}
	return "", fmt.Errorf("%w: %s", errNoProperty, property)
}

func setInnerNetwork(n innerNetwork, property, value string) (string, error) {
	name, role := n.Name, n.Role
	switch property {
	case "name":
		name = value
	case "role":
		number, err := strconv.Atoi(value)
		if err != nil {
			number = slices.IndexFunc([]string{"None", "Cluster", "", "ClusterAndClient"}, func(s string) bool { return strings.EqualFold(s, value) })
		}
		role = failover.NetworkRole(number)
	default:
		return "", fmt.Errorf("%w: %s", errNoProperty, property)
	}
	return "set " + property + " of network " + n.Name + " to " + value, n.cluster.SetNetwork(n.Network, name, role)
}

func setInnerThreshold(c *failover.Cluster, property, value string) (string, error) {
	threshold, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return "", fmt.Errorf("%w: %s is no number", errNoProperty, value)
	}
	same, cross := c.SameSubnetThreshold, c.CrossSubnetThreshold
	switch property {
	case "samesubnetthreshold":
		same = threshold
	case "crosssubnetthreshold":
		cross = threshold
	default:
		return "", fmt.Errorf("%w: %s", errNoProperty, property)
	}
	return "set " + property + " of cluster " + c.Name + " to " + value, c.SetThresholds(same, cross)
}
