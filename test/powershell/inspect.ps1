# Parses a script and tells, a line each, what a reader of its text cannot be sure of: syntax errors, syntax newer than
# Windows PowerShell 5.1, the commands that it runs with their parameters, the types that it names, the param blocks of its
# functions, and with their lines what a rule may be about: commands, operators before what has no name, members, casts,
# variables and texts that name a program.
param([string] $Script)
$tokens = $null
$errors = $null
$ast = [Management.Automation.Language.Parser]::ParseFile($Script, [ref] $tokens, [ref] $errors)
$newTokens = 'QuestionQuestion', 'QuestionQuestionEquals', 'QuestionDot', 'QuestionLBracket', 'QuestionMark', 'AndAnd', 'OrOr', 'Ampersand', 'Clean'
foreach ($e in $errors) { "problem`t$($e.Extent.StartLineNumber)`t$($e.Message)" }
foreach ($t in $tokens) {
    $isCall = $t.Kind -eq 'Ampersand' -and $t.TokenFlags -notmatch 'BinaryOperator' -and ($ast.FindAll({ param($n) $n -is [Management.Automation.Language.CommandAst] -and $n.Extent.StartOffset -eq $t.Extent.StartOffset }, $true)).Count
    if ($newTokens -contains "$($t.Kind)" -and -not $isCall) { "problem`t$($t.Extent.StartLineNumber)`t$($t.Kind) is newer than 5.1" }
    if ($t.Kind -eq 'Number' -and $t.Text -notmatch '^-?(0x[0-9a-f]+|[0-9.]+)(e[0-9+-]+)?[ld]?([kmgtp]b)?$') { "problem`t$($t.Extent.StartLineNumber)`tthe number $($t.Text) is newer than 5.1" }
}
function Use($node, [string] $kind, [string] $text) { "use`t$($node.Extent.StartLineNumber)`t$kind`t$($text -replace '\s+', ' ')" }
foreach ($n in $ast.FindAll({ $true }, $true)) {
    switch ($n.GetType().Name) {
        'CommandAst' {
            $given = @($n.CommandElements | Where-Object { $_ -is [Management.Automation.Language.CommandParameterAst] } | ForEach-Object { $_.ParameterName }) -join ' '
            if ($n.GetCommandName()) { Use $n 'command' "$($n.GetCommandName()) $given" } else { Use $n "$($n.InvocationOperator)" "$($n.CommandElements[0].GetType().Name) $($n.CommandElements[0].Extent.Text)" }
        }
        'InvokeMemberExpressionAst' { Use $n 'call' "$(if ($n.Static) { "$($n.Expression.Extent.Text)::" })$($n.Member.Extent.Text)" }
        'MemberExpressionAst' { if ($n.Static) { Use $n 'static' "$($n.Expression.Extent.Text)::$($n.Member.Extent.Text)" } }
        'ConvertExpressionAst' { Use $n 'cast' "$($n.Type.TypeName.FullName) $($n.Child.GetType().Name)" }
        'VariableExpressionAst' { Use $n 'variable' $n.VariablePath.UserPath }
        { $_ -in 'StringConstantExpressionAst', 'ExpandableStringExpressionAst' } { if ($n.Value -match '\.exe|\.com\b|EncodedCommand') { Use $n 'program' $n.Value } }
        { $_ -in 'TypeExpressionAst', 'TypeConstraintAst' } { Use $n 'type' $n.TypeName.FullName }
    }
    switch ($n.GetType().Name) {
        { $_ -in 'TernaryExpressionAst', 'PipelineChainAst' } { "problem`t$($n.Extent.StartLineNumber)`t$_ is newer than 5.1" }
        'CommandAst' { "command`t$($n.GetCommandName())`t$(@($n.CommandElements | Where-Object { $_ -is [Management.Automation.Language.CommandParameterAst] } | ForEach-Object { $_.ParameterName }) -join ' ')" }
        { $_ -in 'TypeExpressionAst', 'TypeConstraintAst' } { "type`t$($n.TypeName.FullName)`t" }
        'FunctionDefinitionAst' {
            "function`t$($n.Name)`t"
            if (-not $n.Body.ParamBlock) { continue }
            foreach ($p in $n.Body.ParamBlock.Parameters) {
                $mandatory = @($p.Attributes | Where-Object { $_.TypeName.Name -eq 'Parameter' -and @($_.NamedArguments | Where-Object { $_.ArgumentName -eq 'Mandatory' }).Count }).Count
                "parameter`t$($n.Name)`t$($p.Name.VariablePath.UserPath) $($p.StaticType.Name) $([bool] $mandatory)"
            }
        }
    }
}
