// Package scale_test measures the operator with many guest clusters: `make bench`.
package scale_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/log"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/controllers"
	"guestclustering.io/operator/controllers/hostcluster"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim"
	"guestclustering.io/operator/test/controlplane"
)

const (
	guestClusters = 100
	hosts         = 16
	// speed of the world; the operator and the API server run in real time.
	speed = 10
	limit = 15 * time.Minute
)

// BenchmarkConverge brings 100 guest clusters of two members and two disks about on 16 hosts, from nothing to Ready.
// It reports real seconds until all are ready, and per guest cluster the changing batches, all batches and the writes of
// its status.
func BenchmarkConverge(b *testing.B) {
	log.SetLogger(logr.Discard())
	for b.Loop() {
		b.StopTimer()
		r := newRun(b)
		b.StartTimer()
		begin := time.Now()
		r.createAll(b)
		r.untilReady(b)
		b.ReportMetric(time.Since(begin).Seconds(), "s/all-ready")
		r.report(b)
		b.StopTimer()
		r.end(b)
		b.StartTimer()
	}
}

type run struct {
	plane *controlplane.ControlPlane
	c     client.Client
	world *hypervsim.World
	stop  context.CancelFunc
	done  chan error
}

func newRun(b *testing.B) *run {
	b.Helper()
	scheme := runtime.NewScheme()
	must(b, clientgoscheme.AddToScheme(scheme))
	must(b, v1alpha1.AddToScheme(scheme))
	r := &run{done: make(chan error, 1)}
	var err error
	r.plane, err = controlplane.Start(b.Context(), controlplane.Options{})
	must(b, err)
	r.c, err = client.New(r.plane.Config, client.Options{Scheme: scheme})
	must(b, err)
	r.world, err = hypervsim.New(model(), hypervsim.NewRealClock(speed))
	must(b, err)
	mgr, err := ctrl.NewManager(r.plane.Config, ctrl.Options{
		Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
		Controller: config.Controller{SkipNameValidation: new(true)},
	})
	must(b, err)
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	drivers := func(v1alpha1.HostAgent, hostcluster.Keys) (hostagent.Driver, string, error) {
		return r.world.Driver(), "in-process", nil
	}
	must(b, controllers.Setup(ctx, mgr, controllers.Options{Drivers: drivers}))
	go func() { r.done <- mgr.Start(ctx) }()
	return r
}

// model is the default host cluster with more hosts.
func model() hypervsim.Model {
	m := hypervsim.DefaultModel()
	template := m.Hosts[0]
	m.Hosts = nil
	for i := range hosts {
		h := template
		h.Name = fmt.Sprintf("hv%02d", i+1)
		h.MACFirst, h.MACLast = fmt.Sprintf("00155D%02X0000", 0x40+i), fmt.Sprintf("00155D%02X00FF", 0x40+i)
		m.Hosts = append(m.Hosts, h)
	}
	return m
}

const hostClusterYAML = `
metadata: {name: rack}
spec:
  agent: {type: Simulated, simulated: {address: "127.0.0.1:7100"}}
  pollInterval: 3s
  storagePools: [{name: gold, path: 'C:\ClusterStorage\Gold'}]
  images: [{name: ws2022, path: 'C:\ClusterStorage\Gold\Images\ws2022.vhdx', os: WindowsServer2022}]
  networks:
  - {name: client, switchName: vSwitch-Client, vlan: {id: 110}}
  - {name: cluster, switchName: vSwitch-Cluster, vlan: {id: 120}}
  macAddressRanges: [{name: a, first: 02-A1-01-00-00-00, last: 02-A1-01-00-FF-FF}]
  allowedNamespaces: {from: All}
`

const guestClusterYAML = `
spec:
  hostClusterRef: {name: rack}
  members: {count: 2}
  machine:
    image: ws2022
    storagePool: gold
    networks:
    - {name: client, purpose: Client, hostNetwork: client}
    - {name: cluster, purpose: Cluster, hostNetwork: cluster}
  sharedDisks:
  - {name: witness, template: {spec: {size: 1Gi, storagePool: gold}}}
  - {name: data, template: {spec: {size: 50Gi, storagePool: gold}}}
`

func (r *run) createAll(b *testing.B) {
	b.Helper()
	ctx := b.Context()
	must(b, r.c.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "scale"}}))
	hc := &v1alpha1.HostCluster{}
	must(b, yaml.UnmarshalStrict([]byte(hostClusterYAML), hc))
	must(b, r.c.Create(ctx, hc))
	for i := range guestClusters {
		gc := &v1alpha1.GuestCluster{}
		must(b, yaml.UnmarshalStrict([]byte(guestClusterYAML), gc))
		gc.Namespace, gc.Name = "scale", fmt.Sprintf("gc%03d", i)
		must(b, r.c.Create(ctx, gc))
	}
}

func (r *run) untilReady(b *testing.B) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), limit)
	defer cancel()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		var list v1alpha1.GuestClusterList
		must(b, r.c.List(ctx, &list))
		ready := 0
		for _, gc := range list.Items {
			for _, cond := range gc.Status.Conditions {
				if cond.Type == string(v1alpha1.ConditionReady) && cond.Status == metav1.ConditionTrue {
					ready++
				}
			}
		}
		if ready == guestClusters {
			return
		}
		select {
		case <-ctx.Done():
			b.Fatalf("%d of %d guest clusters are ready after %s", ready, guestClusters, limit)
		case err := <-r.done:
			b.Fatalf("the manager ended: %v", err)
		case <-tick.C:
		}
	}
}

func (r *run) report(b *testing.B) {
	b.Helper()
	type batch struct{ session, number int }
	all, changing := map[batch]bool{}, map[batch]bool{}
	for _, e := range r.world.Journal(0) {
		if e.Call == nil {
			continue
		}
		key := batch{e.Session, e.Batch}
		all[key] = true
		if e.Call.Changes() {
			changing[key] = true
		}
	}
	b.ReportMetric(float64(len(changing))/guestClusters, "changing-batches/gc")
	b.ReportMetric(float64(len(all))/guestClusters, "batches/gc")
}

func (r *run) end(b *testing.B) {
	b.Helper()
	r.stop()
	must(b, <-r.done)
	r.world.Close()
	must(b, r.plane.Stop())
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
