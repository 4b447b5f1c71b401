output "functions" {
  description = "ARNs of the functions, by name."
  value       = { for name, function in module.function : function.name => function.arn }

  precondition {
    condition     = alltrue([for source in var.sources : contains(local.shipped, source) || contains(local.sources, source)])
    error_message = "`sources` names a source that is not shipped and has no functions here: ${join(", ", [for source in var.sources : source if !contains(local.shipped, source) && !contains(local.sources, source)])}. Shipped are ${join(", ", local.shipped)}."
  }
  precondition {
    condition     = alltrue([for name in var.write_operations : contains(local.writers, name)])
    error_message = "`write_operations` names what no function of lambdas/lib writes by: ${join(", ", [for name in var.write_operations : name if !contains(local.writers, name)])}. Those that write are ${try(coalesce(join(", ", local.writers)), "none")}; those that read need no name."
  }
}

output "pipelines" {
  description = "The state machines, and when they are started."
  value       = { for name, pipeline in module.pipeline : name => { arn = pipeline.arn, schedules = pipeline.schedules } }
}

output "integration_bucket" {
  description = "The bucket that is pulled into."
  value       = module.integration_bucket.name
}

output "data_bucket" {
  description = "The bucket to read from."
  value       = module.data_bucket.name
}

output "athena_database" {
  description = "The database that Athena reads; null without `athena`."
  value       = one(aws_glue_catalog_database.this[*].name)
}

output "access_log_bucket" {
  description = "The bucket that says who read what."
  value       = module.log_bucket.name
}

output "kms_key_arn" {
  description = "ARN of the key: who reads the data bucket needs kms:Decrypt on it."
  value       = local.kms_key_arn
}

output "state" {
  description = "The state, as the command line takes it."
  value       = local.state
}

output "ledger" {
  description = "The ledger of operations that change something, as the command line takes it; null if nothing here changes anything."
  value       = local.ledger
}

output "approvers_policy_arn" {
  description = "ARN of the policy of those who approve plans, to be attached to their users or roles; null if there is no ledger."
  value       = one(aws_iam_policy.approvers[*].arn)
}

output "playbooks" {
  description = "The state machines of playbooks and of their undoing, by name."
  value       = { for name, playbook in module.playbook : name => playbook.arn }
}

output "secrets_to_fill" {
  description = "Commands that put the credentials of each account into its secret, once."
  value = [
    for secret in aws_secretsmanager_secret.credentials :
    "aws secretsmanager put-secret-value --region ${var.region} --secret-id ${secret.name} --secret-string file://credentials.json"
  ]
}
