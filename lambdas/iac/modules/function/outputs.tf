output "arn" {
  description = "ARN of the function."
  value       = aws_lambda_function.this.arn
}

output "name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "dead_letters_arn" {
  description = "ARN of its queue of dead letters."
  value       = aws_sqs_queue.dead_letters.arn
}
