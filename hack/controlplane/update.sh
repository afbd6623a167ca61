#!/usr/bin/env bash
# Writes go.mod and go.sum of this module for a Kubernetes and an etcd version:
#
#   hack/controlplane/update.sh 1.37.2 3.7.3
#
# k8s.io/kubernetes names its staging modules with `replace … => ./staging/…`, which holds only
# inside its own tree. Here each of them is replaced by the published module of the same release.
set -euo pipefail
cd "$(dirname "$0")"

if (( $# != 2 )); then
	echo "usage: $0 KUBERNETES_VERSION ETCD_VERSION, for example $0 1.37.2 3.7.3" >&2
	exit 2
fi
kubernetes=$1
etcd=$2
staging="v0.${kubernetes#*.}"

upstream=$(cd / && go mod download -json "k8s.io/kubernetes@v$kubernetes" | sed -n 's/.*"GoMod": "\(.*\)",/\1/p')

{
	cat <<-GOMOD
		// Written by update.sh; do not edit.
		module guestclustering.io/operator/hack/controlplane

		go $(go mod edit -json "$upstream" | sed -n 's/.*"Go": "\(.*\)",/\1/p')

		require (
			go.etcd.io/etcd/server/v3 v$etcd
			k8s.io/kubernetes v$kubernetes
		)

		tool (
			go.etcd.io/etcd/server/v3
			k8s.io/kubernetes/cmd/kube-apiserver
			k8s.io/kubernetes/cmd/kube-controller-manager
			k8s.io/kubernetes/cmd/kubectl
		)

		replace (
	GOMOD
	sed -n "s|^[[:space:]]*\(k8s.io/[^ ]*\) => ./staging/.*|\t\1 => \1 $staging|p" "$upstream"
	echo ")"
} >go.mod

go mod tidy
