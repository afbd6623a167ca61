package surface

// What the tests of the outer package need to see.

var Loaded = loaded

var Builds = builds

func (p Parameter) OnBuild(build int) bool { return onBuild(build, p.Docsets, p.since) }

func (p Parameter) NeededIn(set string) bool { return p.requiredIn(set) }

func (p Parameter) TakesBatch() bool { return p.takesBatch }

func (p Parameter) Mandatory() bool { return p.mandatory() }

func (c Cmdlet) OnBuild(build int) bool { return onBuild(build, c.Docsets, c.since) }

var (
	Load  = load
	Quote = quote
)
