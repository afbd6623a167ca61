# The named functions: each does on a host, in one go, what no single cmdlet does, and is called like a cmdlet. Its param
# block is where the facts about it come from, so it keeps to one form: one parameter a line. Functions declared with
# parentheses are for this file alone.
#
# The language is that of Windows PowerShell 5.1. Cmdlets are those of Microsoft.PowerShell.Core, of
# Microsoft.PowerShell.Management (with -LiteralPath) and of the modules for Windows; none of Microsoft.PowerShell.Utility.

# Lists the folders directly below the pools that carry a stamp: Path, Stamp (text), Files (Name and Length in bytes) and
# Work (the texts of *.work.json). A pool that is not there is an error of category ObjectNotFound beside the others' values.
function Get-StampedFolder {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)] [string[]] $Pool
    )
    foreach ($root in $Pool) {
        if (-not (Test-Path -LiteralPath $root -PathType Container)) {
            $missing = [Management.Automation.ItemNotFoundException]::new("The folder $root does not exist.")
            $PSCmdlet.WriteError([Management.Automation.ErrorRecord]::new($missing, 'PoolNotFound', 'ObjectNotFound', $root))
            continue
        }
        foreach ($folder in @(Get-ChildItem -LiteralPath $root -Directory -Force)) {
            $files = @(Get-ChildItem -LiteralPath $folder.FullName -File -Force)
            if (-not @($files | Where-Object { $_.Name -eq 'guestclustering.json' }).Count) { continue }
            $work = @($files | Where-Object { $_.Name -like '*.work.json' })
            [pscustomobject]@{
                Path  = $folder.FullName
                Stamp = ReadText (StampFile $folder.FullName)
                Files = @(foreach ($file in $files) { @{ Name = $file.Name; Length = $file.Length } })
                Work  = @(foreach ($file in $work) { ReadText $file.FullName })
                Folders = @(foreach ($sub in @(Get-ChildItem -LiteralPath $folder.FullName -Directory -Force)) { $sub.Name })
            }
        }
    }
}

# Makes a folder and writes the stamp into it before anything else. A folder with the same stamp is left as it is; one
# with another stamp, or with content and no stamp, is refused with category ResourceExists.
function New-StampedFolder {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)] [string] $Path,
        [Parameter(Mandatory)] [string] $Stamp
    )
    $ErrorActionPreference = 'Stop'
    $file = StampFile $Path
    if (Test-Path -LiteralPath $file) {
        if ((ReadText $file) -cne $Stamp) { Refuse $PSCmdlet 'ResourceExists' $Path "$Path carries another stamp." }
        return
    }
    if (-not (Test-Path -LiteralPath $Path)) { $null = New-Item -Path $Path -ItemType Directory }
    # A stamp that was being written when the host went down is no content.
    $content = @(Get-ChildItem -LiteralPath $Path -Force | Where-Object { $_.FullName -ne "$file.new" })
    if ($content.Count) { Refuse $PSCmdlet 'ResourceExists' $Path "$Path has content and no stamp." }
    WriteText $file $Stamp
}

# Removes a folder with everything in it, if it carries exactly this stamp; another one is refused with category
# ResourceExists. A folder that is not there is no error.
function Remove-StampedFolder {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)] [string] $Path,
        [Parameter(Mandatory)] [string] $Stamp
    )
    $ErrorActionPreference = 'Stop'
    if (-not (Test-Path -LiteralPath $Path)) { return }
    $file = StampFile $Path
    if (-not (Test-Path -LiteralPath $file) -or (ReadText $file) -cne $Stamp) {
        Refuse $PSCmdlet 'ResourceExists' $Path "$Path does not carry the stamp that was asked for."
    }
    # The stamp goes last: a removal that was interrupted can be asked for again.
    foreach ($item in @(Get-ChildItem -LiteralPath $Path -Force | Where-Object { $_.FullName -ne $file })) {
        Remove-Item -LiteralPath $item.FullName -Recurse -Force
    }
    Remove-Item -LiteralPath $Path -Recurse -Force
}

# Starts copying Source to Destination as SYSTEM, in a task that outlives the session, and does not wait for it. The record
# <Destination>.work.json holds id, inputHash, state (Running, Completed, Failed), node, started (UTC) and error. What is
# running, or completed and still there, under the same id and hash is not started again; what failed is, and what a host
# that went down left Running: by the host itself, and by others while it is down. A copy always begins from nothing. Anything
# else at the destination is refused with category ResourceExists, other work in the folder with ResourceBusy.
function Start-Work {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)] [string] $Id,
        [Parameter(Mandatory)] [string] $InputHash,
        [Parameter(Mandatory)] [string] $Source,
        [Parameter(Mandatory)] [string] $Destination
    )
    $ErrorActionPreference = 'Stop'
    foreach ($text in $Id, $InputHash) {
        if ($text -notmatch '\A[0-9A-Za-z-]+\z') { Refuse $PSCmdlet 'InvalidArgument' $text 'Id and InputHash are letters, digits and dashes.' }
    }
    foreach ($path in $Source, $Destination) {
        # The Task Scheduler expands %name% and $(name), in a working directory too.
        if ($path -match '["%\x00-\x1f]|\$\(' -or $path -notmatch '\\[^\\]+\z') { Refuse $PSCmdlet 'InvalidArgument' $path "$path cannot be copied from or to." }
    }
    $folder = $Destination.Substring(0, $Destination.LastIndexOf('\'))
    $record = "$Destination.work.json"
    foreach ($other in @(Get-ChildItem -LiteralPath $folder -File -Force | Where-Object { $_.Name -like '*.work.json' -and $_.FullName -ne $record })) {
        if ((ReadWork $other.FullName).State -ceq 'Running') { Refuse $PSCmdlet 'ResourceBusy' $folder "$($other.FullName) is not finished." }
    }
    $there = Test-Path -LiteralPath $Destination
    if (Test-Path -LiteralPath $record) {
        $old = ReadWork $record
        $same = $old.Id -ceq $Id -and $old.InputHash -ceq $InputHash
        if ($old.State -ceq 'Running') {
            if (UnderWay $old) {
                if ($same) { return }
                Refuse $PSCmdlet 'ResourceBusy' $Destination "$record is of other work that is not finished."
            }
            # Only the task itself renames the copy, so a destination that is there is complete.
            if ($same) { $there = $false }
        } elseif ($same -and $there -and $old.State -ceq 'Completed') {
            return
        }
    }
    if ($there) { Refuse $PSCmdlet 'ResourceExists' $Destination "$Destination exists and is not what was asked for." }
    $work = @{ Id = $Id; InputHash = $InputHash; State = 'Running'; Node = $env:COMPUTERNAME; Started = [DateTime]::UtcNow.ToString('o'); Source = $Source; Destination = $Destination; Error = '' }
    WriteWork $record $work
    try {
        StartTask $Id $folder
    } catch {
        $work.State = 'Failed'
        $work.Error = $_.Exception.Message
        WriteWork $record $work
        throw
    }
}

# Adds one name to the AntiAffinityClassNames of a virtual machine's group and leaves the others alone.
function Add-AntiAffinityClassName {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)] [guid] $VMId,
        [Parameter(Mandatory)] [string] $ClassName
    )
    $ErrorActionPreference = 'Stop'
    $group = Get-ClusterGroup -VMId $VMId
    $names = @($group.AntiAffinityClassNames | Where-Object { $_ })
    if ($names -ccontains $ClassName) { return }
    $group.AntiAffinityClassNames = ClassNames ($names + $ClassName)
}

# Removes one name from the AntiAffinityClassNames of a virtual machine's group and leaves the others alone.
function Remove-AntiAffinityClassName {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)] [guid] $VMId,
        [Parameter(Mandatory)] [string] $ClassName
    )
    $ErrorActionPreference = 'Stop'
    $group = Get-ClusterGroup -VMId $VMId
    $names = @($group.AntiAffinityClassNames | Where-Object { $_ })
    if ($names -cnotcontains $ClassName) { return }
    $group.AntiAffinityClassNames = ClassNames @($names | Where-Object { $_ -cne $ClassName })
}

# The property takes a whole collection; assigning replaces it.
function ClassNames([string[]] $names) {
    $collection = [Collections.Specialized.StringCollection]::new()
    foreach ($name in $names) { $null = $collection.Add($name) }
    return , $collection
}

function StampFile([string] $folder) { return "$folder\guestclustering.json" }

function ReadText([string] $path) { return Get-Content -LiteralPath $path -Raw -Encoding UTF8 }

# A reader never finds half a text under the name.
function WriteText([string] $path, [string] $text) {
    Set-Content -LiteralPath "$path.new" -Value $text -Encoding UTF8 -NoNewline
    Move-Item -LiteralPath "$path.new" -Destination $path -Force
}

function Refuse($caller, [string] $category, [string] $target, [string] $message) {
    $caller.ThrowTerminatingError([Management.Automation.ErrorRecord]::new([InvalidOperationException]::new($message), 'Refused', $category, $target))
}

# The keys are always in this order, so that ReadWork need not understand all of JSON.
function WriteWork([string] $path, $work) {
    $fields = foreach ($name in 'Id', 'InputHash', 'State', 'Node', 'Started', 'Source', 'Destination', 'Error') {
        $text = ($work[$name] -replace '[\x00-\x1f]', ' ').Replace('\', '\\').Replace('"', '\"')
        '"{0}{1}":"{2}"' -f $name.Substring(0, 1).ToLowerInvariant(), $name.Substring(1), $text
    }
    WriteText $path ('{' + ($fields -join ',') + '}')
}

function ReadWork([string] $path) {
    $work = @{ Id = ''; InputHash = ''; State = ''; Node = ''; Started = ''; Source = ''; Destination = ''; Error = '' }
    foreach ($field in [regex]::Matches((ReadText $path), '"([A-Za-z]+)":"((?:[^"\\]|\\.)*)"')) {
        $work[$field.Groups[1].Value] = $field.Groups[2].Value -replace '\\(.)', '$1'
    }
    return $work
}

# Whether work is under way whose record says Running: a host that goes down leaves it so. What another node began is left to
# it, unless the host cluster says that the node is down, or has no such node any more.
function UnderWay($work) {
    if ($work.Node -ne $env:COMPUTERNAME) {
        return @(Get-ClusterNode | Where-Object { $_.Name -eq $work.Node -and "$($_.State)" -ne 'Down' }).Count -gt 0
    }
    return @(Get-ScheduledTask -TaskPath '\GuestClustering\' -TaskName $work.Id -ErrorAction Ignore | Where-Object { $_.State -eq 'Running' }).Count -gt 0
}

# Registers a task to be started by hand, as the machine itself or as a user. The Task Scheduler takes a password as text alone.
function RegisterTask($task, [string] $arguments, [string] $folder, $credential) {
    $action = New-ScheduledTaskAction -Execute "$PSHOME\powershell.exe" -Argument $arguments -WorkingDirectory $folder
    $settings = New-ScheduledTaskSettingsSet -MultipleInstances IgnoreNew -ExecutionTimeLimit ([TimeSpan]::FromDays(1)) -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries
    $rights = if ($credential) {
        @{ User = $credential.UserName; Password = $credential.GetNetworkCredential().Password; RunLevel = 'Highest' }
    } else {
        @{ Principal = New-ScheduledTaskPrincipal -UserId 'S-1-5-18' -LogonType ServiceAccount }
    }
    $null = Register-ScheduledTask @task @rights -Action $action -Settings $settings -Force -ErrorAction Stop
}

# Starts the task of a copy. What it works on it reads from the record in its working directory: no text of ours becomes a
# command line.
function StartTask([string] $name, [string] $folder) {
    $task = @{ TaskPath = '\GuestClustering\'; TaskName = $name }
    RegisterTask $task (OwnArguments 'CopyWork' @('ReadText', 'WriteText', 'ReadWork', 'WriteWork')) $folder $null
    Start-ScheduledTask @task -ErrorAction Stop
}

# The arguments of such a task's process: a function of the executor's file, or with what it calls as they stand here.
function OwnArguments([string] $function, [string[]] $called) {
    if ($ExecutorFile) { return FileArguments $function }
    $script = foreach ($name in $called + $function) {
        'function {0} {{ {1} }}' -f $name, (Get-Command -Name $name -CommandType Function).Definition
    }
    $encoded = [Convert]::ToBase64String([Text.Encoding]::Unicode.GetBytes(($script -join "`n") + "`n$function"))
    return "-NoProfile -NonInteractive -EncodedCommand $encoded"
}

# An executor that was started as a file is that file in tasks, too: where it is one, what is no file is refused.
function FileArguments([string] $argument) {
    return "-NoLogo -NoProfile -NonInteractive -ExecutionPolicy Bypass -InputFormat None -File `"$ExecutorFile`" $argument"
}

# Runs in the task, in the folder of the copy, and ends with the record Completed or Failed and the task gone.
function CopyWork() {
    $ErrorActionPreference = 'Stop'
    foreach ($file in @(Get-ChildItem -LiteralPath . -File -Force | Where-Object { $_.Name -like '*.work.json' })) {
        $work = ReadWork $file.FullName
        if ($work.State -cne 'Running' -or $work.Node -ne $env:COMPUTERNAME) { continue }
        try {
            if (-not (Test-Path -LiteralPath $work.Destination)) {
                Copy-Item -LiteralPath $work.Source -Destination "$($work.Destination).partial" -Force
                Move-Item -LiteralPath "$($work.Destination).partial" -Destination $work.Destination
            }
            $work.State = 'Completed'
        } catch {
            $work.State = 'Failed'
            $work.Error = $_.Exception.Message
        }
        WriteWork $file.FullName $work
        Unregister-ScheduledTask -TaskPath '\GuestClustering\' -TaskName $work.Id -Confirm:$false
    }
}

# ---- Answer files ---------------------------------------------------------------------------------------------------------

# Puts an answer file into the Windows on an OS disk that nobody has open, where set-up finds it before any other. The disk has to
# lie in a folder with a stamp, and is mounted for as long as it takes. One without a Windows is refused with category
# InvalidData. Disks that are copies of one image have the same identifiers, and Windows lets only one of them be at a time: what
# waits for another disk of ours for two minutes is refused with category ResourceBusy.
function Set-AnswerFile {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)] [string] $Path,
        [Parameter(Mandatory)] [securestring] $Content
    )
    $ErrorActionPreference = 'Stop'
    if ($Path -notmatch '\A(.+)\\[^\\]+\z' -or -not (Test-Path -LiteralPath (StampFile $Matches[1]))) {
        Refuse $PSCmdlet 'PermissionDenied' $Path "$Path is in no folder with a stamp of ours."
    }
    $turn = TakeTurn 120
    if (-not $turn) { Refuse $PSCmdlet 'ResourceBusy' $Path 'Another disk of ours has been mounted on this host for two minutes.' }
    try {
        SweepMounts
        $number = MountDisk $Path
        try {
            $windows = FindWindows $number
            if (-not $windows) {
                Refuse $PSCmdlet 'InvalidData' $Path "$Path holds no Windows: make the image from a disk with a Windows that Sysprep has generalised."
            }
            $null = New-Item -Path "$windows\Panther\Unattend" -ItemType Directory -Force
            # Here the secret becomes text, which module logging of Microsoft.PowerShell.Management would tell.
            $text = [Net.NetworkCredential]::new('', $Content).Password
            Set-Content -LiteralPath "$windows\Panther\Unattend\Unattend.xml" -Value $text -Encoding UTF8 -NoNewline -Force
        } finally {
            DismountDisk $number $Path
        }
    } finally {
        EndTurn $turn
    }
}

# Waits until no other process of ours has a disk mounted on this host, and gives the mutex that says so; nothing after so many
# seconds. One whose owner has died is taken over.
function TakeTurn([int] $seconds) {
    $turn = [Threading.Mutex]::new($false, "Global\GuestClustering.Mount.$env:COMPUTERNAME")
    $since = [Diagnostics.Stopwatch]::StartNew()
    do { # little by little, so that a batch that is given up ends
        try { if ($turn.WaitOne(250)) { return $turn } } catch [Threading.AbandonedMutexException] { return $turn }
    } while ($since.Elapsed.TotalSeconds -lt $seconds)
    $turn.Dispose()
}

function EndTurn($turn) {
    $turn.ReleaseMutex()
    $turn.Dispose()
}

# Mounts a disk without drive letters and gives its number. A file beside it says that it is ours to dismount, from before it is
# mounted: disks that an administrator mounts have none.
function MountDisk([string] $path) {
    WriteText "$path.mounted" $env:COMPUTERNAME
    try {
        return (Mount-VHD -Path $path -NoDriveLetter -Passthru).DiskNumber
    } catch {
        Remove-Item -LiteralPath "$path.mounted"
        throw
    }
}

function DismountDisk([long] $number, [string] $path) {
    Dismount-VHD -DiskNumber $number
    Remove-Item -LiteralPath "$path.mounted"
}

# Dismounts what a process that is no more has left mounted. Whoever calls it has the turn.
function SweepMounts() {
    foreach ($disk in @(StorageObjects 'MSFT_Disk' 'BusType = 15')) { # a file is the disk
        if (Test-Path -LiteralPath "$($disk.Location).mounted") { DismountDisk $disk.Number $disk.Location }
    }
}

# Gives the folder of the Windows on a mounted disk, or nothing.
function FindWindows([long] $number) {
    foreach ($disk in @(StorageObjects 'MSFT_Disk' "Number = $number")) { # which a host's policy for storage networks may set offline
        if ($disk.IsOffline) { $null = Invoke-CimMethod -InputObject $disk -MethodName 'Online' }
    }
    foreach ($partition in FindPartitions $number) {
        # For data: GPT has a GUID for that, MBR 7 for NTFS. What Type says is in the host's language.
        if ($partition.GptType -ne '{ebd0a0a2-b9e5-4433-87c0-68b6b72699c7}' -and $partition.MbrType -ne 7) { continue }
        $letter = DriveLetter $partition
        if (-not $letter) {
            $outcome = Invoke-CimMethod -InputObject $partition -MethodName 'AddAccessPath' -Arguments @{ AssignDriveLetter = $true }
            foreach ($again in @(StorageObjects 'MSFT_Partition' "DiskNumber = $number")) {
                if ($again.PartitionNumber -eq $partition.PartitionNumber) { $letter = DriveLetter $again }
            }
            if (-not $letter) { throw "Windows gives partition $($partition.PartitionNumber) no drive letter (error $($outcome.ReturnValue)): is one free?" }
        }
        $null = Get-PSDrive -PSProvider FileSystem # PowerShell sees a new drive once it looks
        if (Test-Path -LiteralPath "${letter}:\Windows" -PathType Container) { return "${letter}:\Windows" }
    }
}

# Gives the partitions of a disk, which Windows finds a moment after the disk.
function FindPartitions([long] $number) {
    for ($i = 0; $i -lt 20; $i++) {
        $found = @(StorageObjects 'MSFT_Partition' "DiskNumber = $number")
        if ($found.Count) { return $found }
        [Threading.Thread]::Sleep(250)
    }
}

# A partition without a letter has the character of number 0.
function DriveLetter($partition) { return "$($partition.DriveLetter)".Trim([char] 0) }

# Storage management by its classes: the module Storage would have to be loaded, and tells bus types as text.
function StorageObjects([string] $class, [string] $filter) {
    return Get-CimInstance -Namespace 'root/Microsoft/Windows/Storage' -ClassName $class -Filter $filter
}

# ---- Batches as somebody else ---------------------------------------------------------------------------------------------

# Runs a batch in a task, as the machine itself or as a user, and gives the body of its answer. The task's process is another
# executor, which has a pipe for its input and output. The task holds nothing but the name of the pipe, over which the batch
# goes with its secrets. A task that fails before the batch was sent is an error of every call. A batch that is given up is
# waited for, until nothing of it is under way.
function RunInTask($shared, $job) {
    $nonce = [guid]::NewGuid().ToString('N')
    $task = @{ TaskPath = '\GuestClustering\'; TaskName = "Batch.$nonce" }
    $credential = if ($job.Logon -eq 'Explicit') { $job.Batch.credential }
    $run = @{ Shared = $shared; Job = $job; Since = [Diagnostics.Stopwatch]::StartNew(); IsSent = $false; IsTold = $false; Reader = $null; Writer = $null; Next = $null; Body = $null }
    $owned = [Threading.Mutex]::new($false, "Global\GuestClustering.$($task.TaskName)")
    $pipe = $null
    try {
        if ($shared.IsGuest -and (IsHeld $shared.Announcement)) {
            $why = [InvalidOperationException]::new('An earlier batch, whose session was lost, has not ended in this guest: wait for it.')
            throw [Management.Automation.ErrorRecord]::new($why, 'TaskUnderWay', 'ResourceBusy', $job.Logon)
        }
        $pipe = OpenPipe $task.TaskName $credential
        RegisterTask $task (TaskArguments $task.TaskName) $PSHOME $credential
        Start-ScheduledTask @task -ErrorAction Stop
        AwaitTask $run $pipe.WaitForConnectionAsync()
        $run.Reader = [IO.StreamReader]::new($pipe, [Text.Encoding]::ASCII, $false, 65536)
        $run.Writer = [IO.StreamWriter]::new($pipe, [Text.Encoding]::ASCII)
        $run.Writer.AutoFlush = $true
        if (-not $ExecutorFile) { $run.Writer.WriteLine((Pack ([IO.MemoryStream]::new([Text.Encoding]::ASCII.GetBytes($ExecutorText))))) }
        $run.Writer.WriteLine((Pack (MakeJson @{ nonce = $nonce; parallel = 1; changes = $job.Changes; guest = $shared.IsGuest })))
        $null = ReadFromTask $run "@HV1 $nonce hello 0 "
        $run.IsSent = $true
        $run.Writer.WriteLine("req 1 $($job.Body)")
        $run.Body = ReadFromTask $run "@HV1 $nonce res 1 "
        return $run.Body
    } catch {
        if ($run.IsSent) { throw }
        $why = ErrorFacts $_
        return PackResults $shared @(foreach ($call in $job.Batch.calls) { @{ id = $call.id; state = 'Failed'; errors = @(, $why) } })
    } finally {
        if ($run.IsSent) { EndTask $run }
        if ($pipe) { $pipe.Dispose() }
        RemoveTask $task.TaskName
        $owned.Dispose()
    }
}

# Waits for the end of the task's process: as long as its call under way takes, after an answer only a while.
function EndTask($run) {
    $most = if ($run.Body -and -not $run.Job.Cancelled) { 10000 } else { -1 }
    try {
        $run.Writer.WriteLine('bye')
        if ($run.Next.Wait($most)) { $null = $run.Reader.ReadToEndAsync().Wait($most) }
    } catch { $null = $_ } # a broken pipe is an end, too
}

function RemoveTask([string] $name) {
    Unregister-ScheduledTask -TaskPath '\GuestClustering\' -TaskName $name -Confirm:$false -ErrorAction Ignore
}

# Waits for what the task's process does next: for the batch as long as it takes, for what comes before it only a while. The
# process is told when the batch is given up.
function AwaitTask($run, $next) {
    while (-not $next.Wait(50)) {
        if ($run.IsSent) {
            if ($run.Job.Cancelled -and -not $run.IsTold) { $run.IsTold = $true; $run.Writer.WriteLine('can 1') }
        } elseif ($run.Job.Cancelled -or $run.Shared.Closing) {
            throw 'Nobody waits for the batch any more.'
        } elseif ($run.Since.Elapsed -gt [TimeSpan]::FromSeconds(30)) {
            $why = [TimeoutException]::new('The scheduled task for the batch did not begin in time. A user needs the right to log on as a batch job.')
            throw [Management.Automation.ErrorRecord]::new($why, 'TaskNotStarted', 'OperationTimeout', $run.Job.Logon)
        }
    }
}

# Gives the body of the next frame that begins so.
function ReadFromTask($run, [string] $prefix) {
    while ($true) {
        $run.Next = $run.Reader.ReadLineAsync()
        AwaitTask $run $run.Next
        $line = $run.Next.Result
        if ($null -eq $line) { throw 'The process of the scheduled task ended without an answer.' }
        if ($line.StartsWith($prefix, [StringComparison]::Ordinal)) { return $line.Substring($prefix.Length) }
    }
}

# The arguments of such a task's process. Unless it runs the executor's file, what comes first over the pipe is this text.
function TaskArguments([string] $pipe) {
    if ($ExecutorFile) { return FileArguments $pipe }
    $command = @(
        "`$p=[IO.Pipes.NamedPipeClientStream]::new('.','$pipe','InOut','Asynchronous','Anonymous')"
        '$p.Connect(30000)'
        '$r=[IO.StreamReader]::new($p,[Text.Encoding]::ASCII,$false,65536)'
        '$z=[IO.Compression.GZipStream]::new([IO.MemoryStream]::new([Convert]::FromBase64String($r.ReadLine())),[IO.Compression.CompressionMode]::Decompress)'
        '. ([ScriptBlock]::Create([IO.StreamReader]::new($z,[Text.Encoding]::ASCII).ReadToEnd())) $r $p'
    ) -join ';'
    return "-NoLogo -NoProfile -NonInteractive -ExecutionPolicy Bypass -InputFormat None -Command `"$command`""
}

# Makes the pipe, which this account and the task's may open, and nobody else. Only Windows PowerShell can say who may.
function OpenPipe([string] $name, $credential) {
    if ($PSVersionTable.PSEdition -ne 'Desktop') { return [IO.Pipes.NamedPipeServerStream]::new($name, 'InOut', 1, 'Byte', 'Asynchronous') }
    $account = if ($credential) { [Security.Principal.NTAccount]::new($credential.UserName) } else { [Security.Principal.SecurityIdentifier]::new('S-1-5-18') }
    $security = [IO.Pipes.PipeSecurity]::new()
    foreach ($who in $account, [Security.Principal.WindowsIdentity]::GetCurrent().User) {
        $security.AddAccessRule([IO.Pipes.PipeAccessRule]::new($who, 'FullControl', 'Allow'))
    }
    return [IO.Pipes.NamedPipeServerStream]::new($name, 'InOut', 1, 'Byte', 'Asynchronous', 65536, 65536, $security)
}

# Gives a batch without its secrets, which go to a list; their places in it take theirs in the batch.
function SetApart($value, $secrets) {
    if ($value -is [securestring] -or $value -is [Management.Automation.PSCredential]) {
        $secrets.Add($value)
        return @{ '$apart' = $secrets.Count - 1 }
    }
    if ($value -is [Collections.IDictionary]) {
        $copy = @{}
        foreach ($entry in $value.GetEnumerator()) { $copy[$entry.Key] = SetApart $entry.Value $secrets }
        return $copy
    }
    if ($value -is [array]) { return , @(foreach ($element in $value) { , (SetApart $element $secrets) }) }
    return $value
}

# Gives a secret as a request has it, for the pipe alone.
function InPlain($secret) {
    if ($secret -is [securestring]) { return @{ '$secret' = [Net.NetworkCredential]::new('', $secret).Password } }
    return @{ '$credential' = @{ user = $secret.UserName; password = $secret.GetNetworkCredential().Password } }
}

# The task's end of the pipe, when it runs the executor's file.
function JoinPipe([string] $name) {
    $pipe = [IO.Pipes.NamedPipeClientStream]::new('.', $name, 'InOut', 'Asynchronous', 'Anonymous')
    $pipe.Connect(30000)
    return $pipe
}

# Removes what sessions that are no more have left on the host.
function Sweep() {
    $ErrorActionPreference = 'Stop'
    try { SweepTasks } catch { $null = $_ }
    try {
        $turn = TakeTurn 0
        if ($turn) { try { SweepMounts } finally { EndTurn $turn } }
    } catch { $null = $_ }
    $global:Error.Clear()
}

# Removes the tasks of batches whose sessions are no more. Each session owns a mutex with its task's name while it lives.
function SweepTasks() {
    foreach ($task in @(Get-ScheduledTask -TaskPath '\GuestClustering\' -TaskName 'Batch.*' -ErrorAction Ignore)) {
        if ("$($task.State)" -eq 'Running' -or (IsHeld "Global\GuestClustering.$($task.TaskName)")) { continue }
        RemoveTask $task.TaskName
    }
}
