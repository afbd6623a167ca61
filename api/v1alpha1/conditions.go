package v1alpha1

import "slices"

// ConditionType is the type of a condition. All conditions have positive polarity, Reconciling and Stalled
// apart, which are kstatus's. Every declared type of a kind is always present, False rather than absent.
type ConditionType string

// The conditions that every kind has. Reconciling and Stalled are never both True; Stalled is never True
// while Ready is.
const (
	// ConditionReady is True while this generation of spec is realised, seen in a complete snapshot of the
	// hosts; Unknown while that cannot be told.
	ConditionReady ConditionType = "Ready"
	// ConditionReconciling is True while the operator is at work and needs nobody's help.
	ConditionReconciling ConditionType = "Reconciling"
	// ConditionStalled is True while somebody has to act; its message says who and what. The operator goes
	// on looking, and goes on by itself once that is done.
	ConditionStalled ConditionType = "Stalled"
)

// The conditions of a HostCluster; each is part of Ready.
const (
	// ConditionConnected is True while every host that is up answers.
	ConditionConnected ConditionType = "Connected"
	// ConditionCapable is True while the hosts can do what their declaration offers: release, images, networks, MAC addresses.
	ConditionCapable ConditionType = "Capable"
	// ConditionStorageReady is True while every storage pool can be used; on a GuestCluster, while every
	// member has every shared disk.
	ConditionStorageReady ConditionType = "StorageReady"
)

// The conditions of a SharedDisk.
const (
	// ConditionProvisioned is True while the disk's file exists as asked. Part of Ready.
	ConditionProvisioned ConditionType = "Provisioned"
	// ConditionAttached is True while every member of the claiming guest cluster has the disk; False with
	// Unclaimed while no guest cluster claims it. Informs.
	ConditionAttached ConditionType = "Attached"
)

// The conditions of a GuestCluster, with StorageReady.
const (
	// ConditionMachinesReady is True while every member exists as asked. Part of Ready.
	ConditionMachinesReady ConditionType = "MachinesReady"
	// ConditionNetworksReady is True while every member has every adapter as asked. Part of Ready.
	ConditionNetworksReady ConditionType = "NetworksReady"
	// ConditionAvailable is True while a member runs; with a failover cluster inside, while it has quorum and every role
	// of spec is online. Informs.
	ConditionAvailable ConditionType = "Available"
	// ConditionPlacementSatisfied is True while no two members share a host. Informs.
	ConditionPlacementSatisfied ConditionType = "PlacementSatisfied"
)

// The conditions that a GuestCluster has besides with a failover cluster inside.
const (
	// ConditionFormed is True while the failover cluster inside has every member, shared disk and role of spec, set up
	// as asked. Part of Ready.
	ConditionFormed ConditionType = "Formed"
	// ConditionQuorumHealthy is True while the cluster has quorum and the witness of spec votes. Part of Ready.
	ConditionQuorumHealthy ConditionType = "QuorumHealthy"
	// ConditionServing is True while every role of spec is online. Part of Ready.
	ConditionServing ConditionType = "Serving"
	// ConditionValidated is True while the members passed Windows's own tests as they are now. Part of Ready with
	// validation Enforce; informs with Report; True with Skip, which asks for nothing.
	ConditionValidated ConditionType = "Validated"
	// ConditionSurvivesHostLoss is True while the loss of any one host would cost neither quorum nor a role for longer
	// than it takes to move; its message names the host that would, and why. Informs.
	ConditionSurvivesHostLoss ConditionType = "SurvivesHostLoss"
)

// The conditions of an AntiAffinityGroup.
const (
	// ConditionRuleApplied is True while every member that exists carries the group's class name. Part of Ready.
	ConditionRuleApplied ConditionType = "RuleApplied"
	// ConditionSatisfied is True while no two members share a host. Informs.
	ConditionSatisfied ConditionType = "Satisfied"
)

// The condition types of each kind, in the order in which they stand in status: Ready, the parts of Ready,
// what informs, then kstatus's pair.
var (
	// HostClusterConditions are the condition types of a HostCluster.
	HostClusterConditions = []ConditionType{
		ConditionReady, ConditionConnected, ConditionCapable, ConditionStorageReady,
		ConditionReconciling, ConditionStalled,
	}
	// GuestClusterConditions are the condition types of a GuestCluster without a failover cluster inside.
	GuestClusterConditions = []ConditionType{
		ConditionReady, ConditionMachinesReady, ConditionStorageReady, ConditionNetworksReady,
		ConditionAvailable, ConditionPlacementSatisfied, ConditionReconciling, ConditionStalled,
	}
	// FailoverClusterConditions are the condition types of a GuestCluster with a failover cluster inside.
	FailoverClusterConditions = []ConditionType{
		ConditionReady, ConditionMachinesReady, ConditionStorageReady, ConditionNetworksReady,
		ConditionFormed, ConditionQuorumHealthy, ConditionServing, ConditionValidated,
		ConditionAvailable, ConditionPlacementSatisfied, ConditionSurvivesHostLoss, ConditionReconciling, ConditionStalled,
	}
	// SharedDiskConditions are the condition types of a SharedDisk.
	SharedDiskConditions = []ConditionType{
		ConditionReady, ConditionProvisioned, ConditionAttached, ConditionReconciling, ConditionStalled,
	}
	// AntiAffinityGroupConditions are the condition types of an AntiAffinityGroup.
	AntiAffinityGroupConditions = []ConditionType{
		ConditionReady, ConditionRuleApplied, ConditionSatisfied, ConditionReconciling, ConditionStalled,
	}
)

// Actor is who has to act before a condition changes.
type Actor string

const (
	// ActorOperator means that the operator is at work or waits for something that comes by itself.
	ActorOperator Actor = "operator"
	// ActorUser means the owner of the object.
	ActorUser Actor = "user"
	// ActorPlatformTeam means who runs the hosts or the operator.
	ActorPlatformTeam Actor = "platform team"
	// ActorNobody means that nobody has to act, or that nobody can tell yet.
	ActorNobody Actor = "nobody yet"
)

// Reason is why a condition is as it is: one of the closed set below, on every kind and also as the reason
// of an event.
type Reason string

// Reasons with which nobody has to act.
const (
	// ReasonSucceeded means that it is as asked.
	ReasonSucceeded Reason = "Succeeded"
	// ReasonNoMembersYet means that the group's guest clusters have no members on the hosts yet.
	ReasonNoMembersYet Reason = "NoMembersYet"
	// ReasonUnclaimed means that no guest cluster claims the disk.
	ReasonUnclaimed Reason = "Unclaimed"
	// ReasonUnknown means that it cannot be seen now.
	ReasonUnknown Reason = "Unknown"
	// ReasonObservationIncomplete means that a part of the hosts was not seen, so that nothing is concluded from what is missing.
	ReasonObservationIncomplete Reason = "ObservationIncomplete"
)

// Reasons with which the operator acts, or waits for what comes by itself.
const (
	// ReasonCreating means that something is being made on the hosts.
	ReasonCreating Reason = "Creating"
	// ReasonStarting means that members are being started.
	ReasonStarting Reason = "Starting"
	// ReasonAttaching means that disks are being attached or detached.
	ReasonAttaching Reason = "Attaching"
	// ReasonMigrating means that a member is moving to another host.
	ReasonMigrating Reason = "Migrating"
	// ReasonRepairing means that something on the hosts was changed and is being put back.
	ReasonRepairing Reason = "Repairing"
	// ReasonRestarting means that the hosts restart a member after the loss of its host.
	ReasonRestarting Reason = "Restarting"
	// ReasonDeleting means that what the object made is being removed.
	ReasonDeleting Reason = "Deleting"
	// ReasonWaitingForHost means that a host is busy or another disruptive step is under way.
	ReasonWaitingForHost Reason = "WaitingForHost"
	// ReasonWaitingForDependency means that another object has to be ready first; the message names it.
	ReasonWaitingForDependency Reason = "WaitingForDependency"
	// ReasonWaitingForGuest means that the Windows in a member does not answer yet.
	ReasonWaitingForGuest Reason = "WaitingForGuest"
	// ReasonVerifyingOutcome means that the answer to a change was lost: the operator looks before it acts again.
	ReasonVerifyingOutcome Reason = "VerifyingOutcome"
	// ReasonViolated means that members share a host; with remediation Migrate one is moved as soon as there is a
	// free host.
	ReasonViolated Reason = "Violated"
	// ReasonInternalError means a defect of the operator; its log says more.
	ReasonInternalError Reason = "InternalError"

	// ReasonSettingUp means that the Windows in a member goes through its first start.
	ReasonSettingUp Reason = "SettingUp"
	// ReasonInstallingFeatures means that features of Windows are being installed in members.
	ReasonInstallingFeatures Reason = "InstallingFeatures"
	// ReasonJoiningDomain means that members are joining their domain.
	ReasonJoiningDomain Reason = "JoiningDomain"
	// ReasonPreparingDisks means that shared disks are being told apart inside, initialised and formatted.
	ReasonPreparingDisks Reason = "PreparingDisks"
	// ReasonValidating means that Windows's own tests of the members are running.
	ReasonValidating Reason = "Validating"
	// ReasonForming means that the cluster inside is being formed.
	ReasonForming Reason = "Forming"
	// ReasonJoining means that a member is joining the cluster inside.
	ReasonJoining Reason = "Joining"
	// ReasonConfiguringCluster means that the cluster inside gets its disks, witness, networks or roles.
	ReasonConfiguringCluster Reason = "ConfiguringCluster"
	// ReasonFailingOver means that a role is coming online, on another member or again.
	ReasonFailingOver Reason = "FailingOver"
	// ReasonDraining means that roles are being moved off a member.
	ReasonDraining Reason = "Draining"
	// ReasonEvicting means that a member is being taken out of the cluster inside.
	ReasonEvicting Reason = "Evicting"
	// ReasonGrowing means that a disk is being made larger, on the hosts or inside.
	ReasonGrowing Reason = "Growing"
	// ReasonQuorumLost means that the cluster inside has no quorum; it comes back with its members. The operator never
	// forces it, since that can lose data.
	ReasonQuorumLost Reason = "QuorumLost"
)

// Reasons with which the owner of the object acts.
const (
	// ReasonPaused means that management is Paused on the object or on its host cluster.
	ReasonPaused Reason = "Paused"
	// ReasonWaitingForPowerOff means that a change waits until the member is off by the user's own act.
	ReasonWaitingForPowerOff Reason = "WaitingForPowerOff"
	// ReasonInvalidSpec means that spec asks for what cannot be; the message says what to change.
	ReasonInvalidSpec Reason = "InvalidSpec"
	// ReasonSecretMissing means that a Secret or ConfigMap that spec names, or a key in it, is not there.
	ReasonSecretMissing Reason = "SecretMissing"
	// ReasonHostClusterNotFound means that no HostCluster has the name that spec gives.
	ReasonHostClusterNotFound Reason = "HostClusterNotFound"
	// ReasonInUse means that other objects still use this one, so that it cannot go yet; the message lists them.
	ReasonInUse Reason = "InUse"
	// ReasonDiskInUse means that another guest cluster has the disk.
	ReasonDiskInUse Reason = "DiskInUse"
	// ReasonDiskNameTaken means that a SharedDisk of a template's name exists and is not this guest cluster's.
	ReasonDiskNameTaken Reason = "DiskNameTaken"
	// ReasonNameTaken means that a name on the hosts or in the domain belongs to something that is not ours.
	ReasonNameTaken Reason = "NameTaken"
	// ReasonOwnedByPrevious means that the hosts hold what an earlier object of this name left.
	ReasonOwnedByPrevious Reason = "OwnedByPrevious"
	// ReasonCopyOfOurs means that the hosts hold a copy of what is ours, under another id; it is left alone.
	ReasonCopyOfOurs Reason = "CopyOfOurs"
	// ReasonMemberLost means that a member that was recorded is gone from the hosts.
	ReasonMemberLost Reason = "MemberLost"
	// ReasonDiskLost means that a disk that was recorded is gone from the hosts; it is never made anew by itself.
	ReasonDiskLost Reason = "DiskLost"

	// ReasonSetUpStalled means that the Windows in a member did not finish its first start in time; the message says
	// what to look at.
	ReasonSetUpStalled Reason = "SetUpStalled"
	// ReasonGuestUnreachable means that the Windows in a running member answers no more by the way that guestAccess gives.
	ReasonGuestUnreachable Reason = "GuestUnreachable"
	// ReasonGuestCredentialsRefused means that the Windows in a member refused the account it is asked with, which is not
	// tried again until its Secret changes.
	ReasonGuestCredentialsRefused Reason = "GuestCredentialsRefused"
	// ReasonGuestRefused means that the Windows in a member could not do what it was asked; the message gives its error.
	ReasonGuestRefused Reason = "GuestRefused"
	// ReasonDomainUnreachable means that a member finds no domain controller of the domain it is to join or is in.
	ReasonDomainUnreachable Reason = "DomainUnreachable"
	// ReasonDisksIndistinguishable means that a shared disk cannot be told from another one inside, or is not the same for
	// all members; no disk is touched until it can.
	ReasonDisksIndistinguishable Reason = "DisksIndistinguishable"
	// ReasonDiskHasData means that a shared disk to be prepared is not empty; it is never formatted.
	ReasonDiskHasData Reason = "DiskHasData"
	// ReasonDiskInUseByRole means that a disk that is to be detached is still the witness, a cluster shared volume or a
	// role's disk in the cluster inside.
	ReasonDiskInUseByRole Reason = "DiskInUseByRole"
	// ReasonValidationFailed means that the members failed one of Windows's own tests; the message names it.
	ReasonValidationFailed Reason = "ValidationFailed"
	// ReasonValidationWarned means that one of Windows's own tests warns; the message names it.
	ReasonValidationWarned Reason = "ValidationWarned"
	// ReasonClusterNameLacksRights means that the cluster's own computer account may not create computer objects for its
	// roles; the message names the account and the organizational unit.
	ReasonClusterNameLacksRights Reason = "ClusterNameLacksRights"
	// ReasonClusterLost means that a cluster that was recorded is gone from its members, or another one is in its place; it
	// is never formed anew by itself.
	ReasonClusterLost Reason = "ClusterLost"
	// ReasonNoWitness means that the number of members needs a witness and spec gives none.
	ReasonNoWitness Reason = "NoWitness"
	// ReasonWitnessLost means that the witness does not vote: its disk, share or storage account cannot be reached.
	ReasonWitnessLost Reason = "WitnessLost"
	// ReasonNodeDown means that a member runs, and is not up in the cluster inside.
	ReasonNodeDown Reason = "NodeDown"
	// ReasonNodePaused means that somebody paused a member in the cluster inside.
	ReasonNodePaused Reason = "NodePaused"
	// ReasonRoleOffline means that a role was taken offline in the cluster inside.
	ReasonRoleOffline Reason = "RoleOffline"
	// ReasonRoleFailed means that a role, or a part of it, failed in the cluster inside.
	ReasonRoleFailed Reason = "RoleFailed"
)

// Reasons with which the platform team acts.
const (
	// ReasonHostUnreachable means that the hosts cannot be reached; the operator goes on trying.
	ReasonHostUnreachable Reason = "HostUnreachable"
	// ReasonCredentialsRefused means that the hosts refused the operator's credentials, which are not tried again until
	// they change.
	ReasonCredentialsRefused Reason = "CredentialsRefused"
	// ReasonAccessDenied means that a host refused the operator's rights.
	ReasonAccessDenied Reason = "AccessDenied"
	// ReasonHostFailed means that a host could not do what it was asked; the message gives its error.
	ReasonHostFailed Reason = "HostFailed"
	// ReasonNotEnoughHosts means that there are fewer usable hosts than the spec needs, or none that is large enough.
	ReasonNotEnoughHosts Reason = "NotEnoughHosts"
	// ReasonHostTooOld means that the hosts' release of Windows Server cannot do what the spec asks.
	ReasonHostTooOld Reason = "HostTooOld"
	// ReasonPoolMissing means that the host cluster has no storage pool of that name, or its folder is not there.
	ReasonPoolMissing Reason = "PoolMissing"
	// ReasonPoolFull means that the storage pool has no room for what is asked.
	ReasonPoolFull Reason = "PoolFull"
	// ReasonImageMissing means that the host cluster has no image of that name, or a host does not see its file.
	ReasonImageMissing Reason = "ImageMissing"
	// ReasonNetworkMissing means that the host cluster has no network of that name, or a host lacks its switch.
	ReasonNetworkMissing Reason = "NetworkMissing"
	// ReasonMacRangeOverlaps means that a range of MAC addresses is not the operator's alone.
	ReasonMacRangeOverlaps Reason = "MacRangeOverlaps"
	// ReasonMacRangeExhausted means that no MAC address is left to give.
	ReasonMacRangeExhausted Reason = "MacRangeExhausted"
	// ReasonFeatureMissing means that the image's Windows cannot install a feature that the cluster inside needs.
	ReasonFeatureMissing Reason = "FeatureMissing"
	// ReasonNamespaceNotAllowed means that the host cluster does not admit the object's namespace.
	ReasonNamespaceNotAllowed Reason = "NamespaceNotAllowed"
)

var reasonsByActor = map[Actor][]Reason{
	ActorNobody: {
		ReasonSucceeded, ReasonNoMembersYet, ReasonUnclaimed, ReasonUnknown, ReasonObservationIncomplete,
	},
	ActorOperator: {
		ReasonCreating, ReasonStarting, ReasonAttaching, ReasonMigrating, ReasonRepairing, ReasonRestarting,
		ReasonDeleting, ReasonWaitingForHost, ReasonWaitingForDependency, ReasonWaitingForGuest,
		ReasonVerifyingOutcome, ReasonViolated, ReasonInternalError,
		ReasonSettingUp, ReasonInstallingFeatures, ReasonJoiningDomain, ReasonPreparingDisks, ReasonValidating,
		ReasonForming, ReasonJoining, ReasonConfiguringCluster, ReasonFailingOver, ReasonDraining, ReasonEvicting,
		ReasonGrowing, ReasonQuorumLost,
	},
	ActorUser: {
		ReasonPaused, ReasonWaitingForPowerOff, ReasonInvalidSpec, ReasonSecretMissing, ReasonHostClusterNotFound, ReasonInUse,
		ReasonDiskInUse, ReasonDiskNameTaken, ReasonNameTaken, ReasonOwnedByPrevious, ReasonCopyOfOurs,
		ReasonMemberLost, ReasonDiskLost,
		ReasonSetUpStalled, ReasonGuestUnreachable, ReasonGuestCredentialsRefused, ReasonGuestRefused, ReasonDomainUnreachable,
		ReasonDisksIndistinguishable, ReasonDiskHasData, ReasonDiskInUseByRole, ReasonValidationFailed, ReasonValidationWarned,
		ReasonClusterNameLacksRights, ReasonClusterLost, ReasonNoWitness, ReasonWitnessLost, ReasonNodeDown, ReasonNodePaused,
		ReasonRoleOffline, ReasonRoleFailed,
	},
	ActorPlatformTeam: {
		ReasonHostUnreachable, ReasonCredentialsRefused, ReasonAccessDenied, ReasonHostFailed, ReasonNotEnoughHosts, ReasonHostTooOld,
		ReasonPoolMissing, ReasonPoolFull, ReasonImageMissing, ReasonNetworkMissing, ReasonMacRangeOverlaps,
		ReasonMacRangeExhausted, ReasonFeatureMissing, ReasonNamespaceNotAllowed,
	},
}

// Reasons is the closed set of reasons with which the given actor acts, in the order of this file.
func Reasons(actor Actor) []Reason {
	return slices.Clone(reasonsByActor[actor])
}

// Actor is who acts on the reason; empty for a text that is none of the set.
func (r Reason) Actor() Actor {
	for actor, reasons := range reasonsByActor {
		if slices.Contains(reasons, r) {
			return actor
		}
	}
	return ""
}
