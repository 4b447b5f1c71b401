variable "name" {
  description = "Name of the state machine, its role and log group."
  type        = string

  validation {
    condition     = length(var.name) <= 64
    error_message = "The name of a playbook's state machine, its prefix included, has at most 64 characters: choose a shorter prefix or playbook."
  }
}

variable "playbook" {
  description = "The playbook, or what undoes it, for messages."
  type        = string
}

variable "file" {
  description = "Its definition in Amazon States Language, as `circulate package` writes it: a template with `functions` in it."
  type        = string
}

variable "functions" {
  description = "What the ARNs of functions begin with, their prefix included."
  type        = string
}

variable "invokes" {
  description = "ARNs of the functions that it invokes."
  type        = list(string)
}

variable "unnamed" {
  description = "Operations that it calls, that write, and that `write_operations` does not name."
  type        = list(string)
}

variable "sources" {
  description = "Sources of functions that it invokes which are not deployed."
  type        = list(string)
}

variable "unknown" {
  description = "Functions that it invokes and no lambda.yaml describes."
  type        = list(string)
}

variable "kms_key_arn" {
  description = "ARN of the key that encrypts its logs."
  type        = string
}

variable "log_retention_days" {
  description = "Days that its logs are kept for."
  type        = number
}

variable "alarm_actions" {
  description = "ARNs that its alarm is sent to."
  type        = list(string)
}
