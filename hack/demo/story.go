package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim/control"
)

const namespace = "payments"

// formLimit is how long both guest clusters may take from nothing to Ready, through a real PowerShell too; settleLimit is how long
// one may take to be as it was after a disturbance.
const (
	formLimit   = 12 * time.Minute
	settleLimit = 6 * time.Minute
)

// tell is the demo's story; it ends with the first step that does not hold.
func tell(ctx context.Context, p *parts) error {
	watchCtx, stop := context.WithCancel(ctx)
	defer stop()
	go newWatcher(p.client).run(watchCtx)
	for _, step := range []struct {
		title string
		run   func(context.Context, *parts) error
	}{
		{"Manifests in: a host cluster, a two-node cluster for SQL Server, a three-node file server", applySamples},
		{"Out: members, disks, placement, and failover clusters that serve", showResult},
		{"The manager is killed and started again; the world goes on", restartManager},
		{"One host is drained; the one that serves fails: the role moves while its VM restarts", loseHosts},
		{"The failed host returns; members that share a host are moved apart", returnHost},
	} {
		chapter(step.title)
		if err := step.run(ctx, p); err != nil {
			return fmt.Errorf("%s: %w", step.title, err)
		}
	}
	chapter("Every step held")
	return p.kubectl(ctx, "get", "hostclusters,guestclustering", "-n", namespace)
}

func applySamples(ctx context.Context, p *parts) error {
	files, err := filepath.Glob("config/samples/*.yaml")
	if err != nil || len(files) == 0 {
		return fmt.Errorf("finding config/samples (run from the project's folder): %w", err)
	}
	if err := p.giveAccess(ctx); err != nil {
		return err
	}
	slices.SortFunc(files, func(a, b string) int { return strings.Compare(order(a)+a, order(b)+b) })
	for _, file := range files {
		say("kubectl apply -f %s", file)
		if err := p.apply(ctx, file); err != nil {
			return err
		}
		if strings.Contains(file, "namespace") {
			if err := p.giveAccounts(ctx); err != nil {
				return err
			}
		}
	}
	return p.untilReady(ctx, formLimit, "sql", "files")
}

// order puts what others need first.
func order(file string) string {
	for i, name := range []string{"namespace", "hostcluster"} {
		if strings.Contains(file, name) {
			return fmt.Sprint(i)
		}
	}
	return "9"
}

// apply is server-side apply, as Argo CD does it. The host cluster's hosts become those of this demo's simulator.
func (p *parts) apply(ctx context.Context, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading sample: %w", err)
	}
	for document := range strings.SplitSeq(string(text), "\n---") {
		obj := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &obj.Object); err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
		if obj.Object == nil {
			continue
		}
		if obj.GetKind() == "HostCluster" {
			if err := p.fitHostCluster(obj); err != nil {
				return err
			}
		}
		if err := p.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(obj), client.FieldOwner("demo"), client.ForceOwnership); err != nil {
			return fmt.Errorf("applying %s: %w", file, err)
		}
	}
	return nil
}

func (p *parts) cluster(ctx context.Context, name string) (*v1alpha1.GuestCluster, error) {
	var gc v1alpha1.GuestCluster
	if err := p.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &gc); err != nil {
		return nil, fmt.Errorf("reading guest cluster: %w", err)
	}
	return &gc, nil
}

func (p *parts) untilReady(ctx context.Context, limit time.Duration, names ...string) error {
	for _, name := range names {
		err := poll(ctx, limit, name+" is not ready", func() (bool, error) {
			gc, err := p.cluster(ctx, name)
			if err != nil {
				return false, err
			}
			return isTrue(gc, v1alpha1.ConditionReady) && isTrue(gc, v1alpha1.ConditionPlacementSatisfied), p.manager.alive()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func isTrue(gc *v1alpha1.GuestCluster, t v1alpha1.ConditionType) bool {
	return slices.ContainsFunc(gc.Status.Conditions, func(c condition) bool {
		return c.Type == string(t) && c.Status == "True" && c.ObservedGeneration == gc.Generation
	})
}

func showResult(ctx context.Context, p *parts) error {
	if err := p.kubectl(ctx, "get", "hostclusters"); err != nil {
		return err
	}
	if err := p.kubectl(ctx, "get", "guestclustering", "-n", namespace); err != nil {
		return err
	}
	for _, name := range []string{"sql", "files"} {
		gc, err := p.cluster(ctx, name)
		if err != nil {
			return err
		}
		for _, m := range gc.Status.Members {
			say("%s runs on %s as %s, files in %s", m.Name, m.HostName, m.VMName, m.Folder)
		}
		for _, d := range gc.Status.SharedDisks {
			say("%s: disk %s at controller %d, location %d of %s", name, d.Path, d.ControllerNumber, d.ControllerLocation, strings.Join(d.AttachedTo, ", "))
		}
		inside := gc.Status.FailoverCluster
		say("%s: failover cluster %s (%s), witness %s %s", name, inside.Name, strings.Join(inside.Addresses, ", "), inside.Witness.Resource, strings.ToLower(inside.Witness.State))
		for _, a := range gc.Status.AccessPoints {
			say("%s: clients reach %s at %s", name, a.Name, strings.Join(a.Addresses, ", "))
		}
		if hosts := hostsOf(gc); len(hosts) != len(gc.Status.Members) {
			return fmt.Errorf("%s has %d members on %d hosts", name, len(gc.Status.Members), len(hosts))
		}
	}
	return nil
}

func hostsOf(gc *v1alpha1.GuestCluster) []string {
	var hosts []string
	for _, m := range gc.Status.Members {
		if m.HostName != "" && !slices.Contains(hosts, m.HostName) {
			hosts = append(hosts, m.HostName)
		}
	}
	slices.Sort(hosts)
	return hosts
}

// restartManager holds that a manager that starts again changes nothing on the hosts.
func restartManager(ctx context.Context, p *parts) error {
	before, err := p.changes(ctx)
	if err != nil {
		return err
	}
	if err := p.manager.kill(); err != nil {
		return err
	}
	say("The manager is gone. Members go on.")
	if err := p.startManager(ctx); err != nil {
		return err
	}
	reads, err := p.world.Journal(ctx, 0)
	if err != nil {
		return fmt.Errorf("reading journal: %w", err)
	}
	// A few polls of the new manager have passed once the journal has grown well beyond what it was.
	err = poll(ctx, time.Minute, "the manager does not poll the hosts again", func() (bool, error) {
		now, err := p.world.Journal(ctx, 0)
		return len(now) > len(reads)+100, err
	})
	if err != nil {
		return err
	}
	after, err := p.changes(ctx)
	if err != nil {
		return err
	}
	if after != before {
		return fmt.Errorf("the new manager changed something on the hosts: %d calls", after-before)
	}
	say("The new manager has read the hosts and changed nothing: %d changing calls before, %d now.", before, after)
	return p.untilReady(ctx, settleLimit, "sql", "files")
}

// changes counts the changing calls in the world's journal.
func (p *parts) changes(ctx context.Context) (int, error) {
	entries, err := p.world.Journal(ctx, 0)
	if err != nil {
		return 0, fmt.Errorf("reading journal: %w", err)
	}
	n := 0
	for _, e := range entries {
		if e.Call != nil && e.Call.Changes() && e.State != hostagent.NotRun {
			n++
		}
	}
	return n, nil
}

// loseHosts drains a host and fails another, both with members of the three-node cluster, so that two of its members must
// share one of the two hosts that are left.
func loseHosts(ctx context.Context, p *parts) error {
	if err := p.drain(ctx); err != nil {
		return err
	}
	served, err := p.serving(ctx)
	if err != nil {
		return err
	}
	p.failed = served.host
	say("Power fails on %s, whose %s serves %s ...", p.failed, served.member, role)
	if _, err := p.world.Do(ctx, control.Action{Action: "FailHost", Host: p.failed}); err != nil {
		return fmt.Errorf("failing host: %w", err)
	}
	if err := p.failover(ctx, served); err != nil {
		return err
	}
	err = poll(ctx, settleLimit, "the members were not restarted elsewhere", func() (bool, error) {
		gc, err := p.cluster(ctx, "files")
		if err != nil {
			return false, err
		}
		return isTrue(gc, v1alpha1.ConditionReady) && !isTrue(gc, v1alpha1.ConditionPlacementSatisfied), p.manager.alive()
	})
	if err != nil {
		return err
	}
	say("Windows restarted the members elsewhere, and they are nodes again. Three members on two hosts: the anti-affinity is broken, and reported:")
	return p.kubectl(ctx, "get", "guestclustering", "-n", namespace)
}

func (p *parts) drain(ctx context.Context) error {
	gc, err := p.cluster(ctx, "files")
	if err != nil {
		return err
	}
	p.drained = hostsOf(gc)[0]
	say("Draining %s, as for maintenance ...", p.drained)
	if _, err := p.world.Do(ctx, control.Action{Action: "Drain", Host: p.drained}); err != nil {
		return fmt.Errorf("draining: %w", err)
	}
	return poll(ctx, settleLimit, "members did not leave "+p.drained, func() (bool, error) {
		gc, err := p.cluster(ctx, "files")
		return err == nil && !slices.Contains(hostsOf(gc), p.drained) && isTrue(gc, v1alpha1.ConditionReady), err
	})
}

func returnHost(ctx context.Context, p *parts) error {
	say("%s comes back ...", p.failed)
	if _, err := p.world.Do(ctx, control.Action{Action: "ReturnHost", Host: p.failed}); err != nil {
		return fmt.Errorf("returning host: %w", err)
	}
	if err := p.untilReady(ctx, settleLimit, "files", "sql"); err != nil {
		return err
	}
	gc, err := p.cluster(ctx, "files")
	if err != nil {
		return err
	}
	for _, m := range gc.Status.Members {
		say("%s runs on %s", m.Name, m.HostName)
	}
	say("%s is taken out of maintenance.", p.drained)
	if _, err := p.world.Do(ctx, control.Action{Action: "Resume", Host: p.drained}); err != nil {
		return fmt.Errorf("resuming: %w", err)
	}
	return nil
}

// kubectl shows what a user sees.
func (p *parts) kubectl(ctx context.Context, args ...string) error {
	fmt.Printf("\n$ kubectl %s\n", strings.Join(args, " "))
	cmd := p.control.Kubectl(ctx, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("kubectl: %w", err)
	}
	fmt.Println()
	return nil
}
