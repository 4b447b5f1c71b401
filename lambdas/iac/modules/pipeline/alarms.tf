locals {
  hour = 3600
  # CloudWatch adds up over a day at most.
  partial_h = min(var.stale_after_h, 24)
}

resource "aws_cloudwatch_metric_alarm" "failed" {
  alarm_name          = "${var.name}-failed"
  alarm_description   = "The pipeline of ${var.stream} failed, after its retries. What was read is kept; the next start goes on. The log group ${aws_cloudwatch_log_group.this.name} and that of the function say why."
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions

  metric_query {
    id          = "all"
    expression  = "FILL(failed, 0) + FILL(timed_out, 0)"
    label       = "failed"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { failed = "ExecutionsFailed", timed_out = "ExecutionsTimedOut" }
    content {
      id = metric_query.key
      metric {
        namespace   = "AWS/States"
        metric_name = metric_query.value
        dimensions  = { StateMachineArn = aws_sfn_state_machine.this.arn }
        stat        = "Sum"
        period      = 300
      }
    }
  }
}

# Invocations end `partial` all the time; a run that does not get to its end, or has holes again and again, does not go unnoticed.
resource "aws_cloudwatch_metric_alarm" "partial" {
  for_each = toset(var.accounts)

  alarm_name          = "${var.name}-${each.key}-partial"
  alarm_description   = "${var.stream} of ${each.key} was pulled for ${local.partial_h} hours and never complete: is the quota too small, or does the API refuse something? The result in the function's log says which."
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions

  metric_query {
    id          = "only_partial"
    expression  = "IF(FILL(partial, 0) > 0 AND FILL(complete, 0) == 0, 1, 0)"
    label       = "partial and never complete"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = toset(["partial", "complete"])
    content {
      id = metric_query.key
      metric {
        namespace   = "Circulate"
        metric_name = metric_query.key
        dimensions  = { stream = var.stream, account = each.key }
        stat        = "Sum"
        period      = local.partial_h * local.hour
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "stale" {
  for_each = toset(var.accounts)

  alarm_name          = "${var.name}-${each.key}-stale"
  alarm_description   = "No run of ${var.stream} of ${each.key} was complete in the last ${var.stale_after_h} hours."
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  evaluation_periods  = var.stale_after_h
  # Nothing at all is the worst case.
  treat_missing_data = "breaching"
  alarm_actions      = var.alarm_actions
  ok_actions         = var.alarm_actions

  metric_query {
    id = "completed"
    # Or hours without any would be left out, and older ones be looked at.
    expression  = "FILL(complete, 0)"
    label       = "complete runs"
    return_data = true
  }

  metric_query {
    id = "complete"
    metric {
      namespace   = "Circulate"
      metric_name = "complete"
      dimensions  = { stream = var.stream, account = each.key }
      stat        = "Sum"
      period      = local.hour
    }
  }
}
