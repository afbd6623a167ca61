# Makes the .NET types of parameters and live objects, which only Windows has. They are made once in a process: a class
# that a module defines would be another one in each runspace.
$assembly = [Reflection.Emit.AssemblyBuilder]::DefineDynamicAssembly([Reflection.AssemblyName]::new('Simulated'), 'Run')
$module = $assembly.DefineDynamicModule('Simulated')
$builder = $module.DefineType('Simulated.LiveObject', 'Public, Class')
$null = $builder.DefineField('SimulatedHandle', [string], 'Public')
$null = $builder.DefineField('SimulatedProperties', [Text.Json.JsonElement], 'Public')
$null = $builder.DefineField('SimulatedSeen', [int], 'Public')
$text = $builder.DefineField('SimulatedText', [string], 'Public')
$method = $builder.DefineMethod('ToString', 'Public, Virtual, HideBySig', [string], [type[]] @())
$code = $method.GetILGenerator()
$code.Emit([Reflection.Emit.OpCodes]::Ldarg_0)
$code.Emit([Reflection.Emit.OpCodes]::Ldfld, $text)
$code.Emit([Reflection.Emit.OpCodes]::Ret)
$made = @{ '' = $builder.CreateType() }
foreach ($name in $enums.Keys) {
    $builder = $module.DefineEnum("Simulated.$name", 'Public', [int])
    for ($i = 0; $i -lt $enums[$name].Count; $i++) { $null = $builder.DefineLiteral($enums[$name][$i], $i) }
    $null = $builder.CreateType()
}
foreach ($class in $classes) {
    $name, $base = $class
    $made[$name] = $module.DefineType("Simulated.$name", 'Public, Class', $made["$base"]).CreateType()
}
