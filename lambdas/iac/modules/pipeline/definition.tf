# Only references go from state to state, never data: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
#
#   Begin ─▶ Pull ─▶ Pulled? ── complete ─────────▶ Promote ─▶ Promoted? (─▶ Register ─▶ Registered) ─▶ Done
#             ▲        │  │                          ▲              │                          │
#             │     partial└─ a run waits for it ────┘     more, or a run waited      more, or a run waited
#             └─ Wait ◀┴────────────────────────────────────────────┴──────────────────────────┘

locals {
  # What the functions answer with, and what went wrong in between. Settings, definitions and credentials are not better the second time.
  retry = [
    {
      ErrorEquals     = ["Lambda.ClientExecutionTimeoutException", "Lambda.TooManyRequestsException", "Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException"]
      IntervalSeconds = 2
      MaxAttempts     = 6
      BackoffRate     = 2
      JitterStrategy  = "FULL"
    },
    {
      ErrorEquals = [
        "RateLimitError", "NetworkError", "ApiError", "StorageError", "StateError",
        "Sandbox.Timedout", "Runtime.ExitError", "Runtime.OutOfMemory", "Lambda.Unknown",
        "Extension.InitError", "Extension.TokenEndpointUnavailable",
      ]
      IntervalSeconds = 60
      MaxAttempts     = 4
      BackoffRate     = 3
      MaxDelaySeconds = 900
      JitterStrategy  = "FULL"
    },
  ]

  invoke     = "arn:${data.aws_partition.this.partition}:states:::lambda:invoke"
  has_target = var.target != "none"

  # What is complete may not be all there is to do.
  again = [
    {
      # An unfinished run was in the way of a full refresh, and was brought to its end first.
      Condition = "{% $asked.mode = 'full' and $run.mode != 'full' %}"
      Assign    = { event = "{% $asked %}" }
      Next      = "Pull"
    },
    {
      # A log that never ends was read for as long as there was time.
      Condition = "{% $exists($run.more) and $run.more %}"
      Assign    = { event = "{% $kept %}" }
      Next      = "Wait?"
    },
  ]

  # A run of before may have been in the way.
  next = concat([{ Condition = "{% $run.status = 'busy' %}", Next = "Pull" }], local.again)

  definition = {
    Comment        = "Pulls ${var.stream} until it is complete${local.has_target ? ", and brings it to its target" : ""}"
    QueryLanguage  = "JSONata"
    StartAt        = "Begin"
    TimeoutSeconds = 86400
    States = { for name, state in {
      Begin = {
        Type = "Pass"
        Assign = {
          asked = "{% $states.input %}"
          event = "{% $states.input %}"
          kept  = "{% $merge([$sift($states.input, function($v, $k) { $k = 'account' })]) %}"
        }
        Next = "Pull"
      }
      Pull = {
        Type      = "Task"
        Resource  = local.invoke
        Arguments = { FunctionName = var.function_arn, Payload = "{% $event %}" }
        Assign    = { run = "{% $states.result.Payload %}" }
        Output    = "{% $states.result.Payload %}"
        Retry     = local.retry
        Next      = "Pulled?"
      }
      "Pulled?" = {
        Type = "Choice"
        Choices = concat(
          [
            {
              Condition = "{% $run.status = 'partial' and $exists($run.continuation) %}"
              Assign    = { event = "{% $merge([$kept, {'continuation': $run.continuation}]) %}" }
              Next      = "Wait?"
            },
          ],
          [for choice in [
            {
              # This run; or, if the answer is busy, one of before that was not brought to its target and is in the way.
              Condition = "{% $exists($run.manifest) and $run.manifest != null %}"
              Assign    = { promote = "{% {'manifest': $run.manifest} %}" }
              Next      = "Promote"
            },
          ] : choice if local.has_target],
          [
            {
              # Somebody else is at it. What changed is pulled soon again, but the next full refresh may be a week away.
              Condition = "{% $run.status = 'busy' and $event.mode = 'full' %}"
              Next      = "Wait?"
            },
          ],
          [for choice in local.again : choice if !local.has_target],
        )
        Default = "Done"
      }
      "Wait?" = {
        Type    = "Choice"
        Choices = [{ Condition = "{% $exists($run.resume_after) %}", Next = "Wait" }]
        Default = "Pull"
      }
      Wait = {
        Type      = "Wait"
        Timestamp = "{% $fromMillis($run.resume_after * 1000) %}"
        Next      = "Pull"
      }
      Promote = {
        Type      = "Task"
        Resource  = local.invoke
        Arguments = { FunctionName = var.target_arn, Payload = "{% $promote %}" }
        Assign    = { promotion = "{% $states.result.Payload %}" }
        Output    = "{% $states.result.Payload %}"
        Retry     = local.retry
        Next      = "Promoted?"
      }
      "Promoted?" = {
        Type = "Choice"
        Choices = concat([
          { Condition = "{% $promotion.status = 'partial' and $exists($promotion.continuation) %}", Next = "Promote" },
        ], [for choice in local.next : choice if !var.has_registrar])
        Default = var.has_registrar ? "Register" : "Done"
      }
      Register = {
        Type      = "Task"
        Resource  = local.invoke
        Arguments = { FunctionName = var.registrar_arn, Payload = "{% {'manifest': $promotion.manifest} %}" }
        Output    = "{% $states.result.Payload %}"
        Retry     = local.retry
        Next      = "Registered"
      }
      Registered = {
        Type    = "Choice"
        Choices = local.next
        Default = "Done"
      }
      Done = { Type = "Succeed" }
    } : name => state if(local.has_target || !startswith(name, "Promote")) && (var.has_registrar || !startswith(name, "Register")) }
  }
}
