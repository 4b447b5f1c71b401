variable "name" {
  description = "Name of the state machine, its role and log group."
  type        = string
}

variable "stream" {
  description = "The stream that is pulled, such as okta.users."
  type        = string
}

variable "file" {
  description = "The lambda.yaml that describes it, for messages."
  type        = string
}

variable "group" {
  description = "The group that its schedules are in."
  type        = string
}

variable "accounts" {
  description = "The accounts that it pulls from, each by schedules of its own."
  type        = list(string)
}

variable "schedule" {
  description = "When to pull: rate(...) or cron(...), in UTC."
  type        = string
}

variable "full_refresh" {
  description = "When to pull everything again; null for never."
  type        = string
}

variable "mode" {
  description = "What to pull by the schedule: incremental or full."
  type        = string
}

variable "stale_after_h" {
  description = "Hours without a complete run after which an alarm is raised. CloudWatch looks back for a week."
  type        = number

  validation {
    condition     = var.stale_after_h >= 1 && var.stale_after_h <= 168
    error_message = "stale_after_h of a pipeline is 1 to 168 hours."
  }
}

variable "paused" {
  description = "Whether its schedules stand still."
  type        = bool
}

variable "function_arn" {
  description = "ARN of the function that pulls."
  type        = string
}

variable "target" {
  description = "Name of the target; none if runs stay where they are."
  type        = string
}

variable "target_arn" {
  description = "ARN of the target's function; null if runs stay where they are."
  type        = string
}

variable "registrar_arn" {
  description = "ARN of the function that registers what its target has; null if none does."
  type        = string
  default     = null
}

variable "has_registrar" {
  description = "Whether there is such a function; known before it is made."
  type        = bool
  default     = false
}

variable "dead_letters_arn" {
  description = "ARN of the queue of starts that failed."
  type        = string
}

variable "kms_key_arn" {
  description = "ARN of the key that encrypts its logs and schedules."
  type        = string
}

variable "log_retention_days" {
  description = "Days that its logs are kept for."
  type        = number
}

variable "alarm_actions" {
  description = "ARNs that its alarms are sent to."
  type        = list(string)
}
