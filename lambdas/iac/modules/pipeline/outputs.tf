output "arn" {
  description = "ARN of the state machine."
  value       = aws_sfn_state_machine.this.arn
}

output "schedules" {
  description = "When it is started, by account and mode."
  value       = { for name, start in local.starts : name => start.schedule }
}
