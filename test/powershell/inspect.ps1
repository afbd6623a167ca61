# Parses a script and tells, a line each, what a reader of its text cannot be sure of: syntax errors, syntax newer than
# Windows PowerShell 5.1, the commands that it runs with their parameters, the types that it names, and the param blocks of
# its functions.
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
foreach ($n in $ast.FindAll({ $true }, $true)) {
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
