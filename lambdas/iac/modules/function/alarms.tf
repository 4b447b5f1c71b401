resource "aws_cloudwatch_metric_alarm" "errors" {
  count = var.alarm_on_errors ? 1 : 0

  alarm_name          = "${var.name}-errors"
  alarm_description   = "${var.source_name}.${var.endpoint}.${var.operation} failed: the log group ${aws_cloudwatch_log_group.this.name} says why."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = aws_lambda_function.this.function_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = local.tags
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  count = var.alarm_on_dead_letters ? 1 : 0

  alarm_name          = "${var.name}-dead-letters"
  alarm_description   = "Events of ${var.source_name}.${var.endpoint}.${var.operation} could not be handled: the queue ${var.name} has them."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letters.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = local.tags
}
