variable "name" {
  description = "Name of the function, its role, log group and queue."
  type        = string

  validation {
    condition     = length(var.name) <= 64
    error_message = "The name of a function, its prefix included, has at most 64 characters: choose a shorter prefix or operation."
  }
}

variable "source_name" {
  description = "The source; `source` is a word of Terraform's own."
  type        = string
}

variable "endpoint" {
  description = "The endpoint."
  type        = string
}

variable "operation" {
  description = "What it does with the endpoint."
  type        = string
}

variable "lib" {
  description = "The folder that all functions are in."
  type        = string
}

variable "folder" {
  description = "Folder of the function's code, below lib."
  type        = string
}

variable "zip" {
  description = "Its code, as `circulate package` writes it."
  type        = string
}

variable "handler" {
  description = "Module and function, such as handler.list."
  type        = string
}

variable "runtime" {
  description = "The Python that runs it."
  type        = string
}

variable "architecture" {
  description = "x86_64 or arm64."
  type        = string
}

variable "memory_mb" {
  description = "Memory in MB."
  type        = number
}

variable "timeout_s" {
  description = "How long an invocation may take in seconds."
  type        = number
}

variable "ephemeral_mb" {
  description = "Size of /tmp in MB."
  type        = number
}

variable "environment" {
  description = "Environment variables. Never a secret."
  type        = map(string)
}

variable "layers" {
  description = "ARNs of layers, at most five."
  type        = list(string)
}

variable "permissions" {
  description = "What its role may do: actions on resources, and if there are `keys`, only on items of DynamoDB whose partition key matches one of these."
  type = list(object({
    sid       = string
    actions   = list(string)
    resources = list(string)
    keys      = list(string)
  }))
}

variable "kms_key_arn" {
  description = "ARN of the key that encrypts its logs, its queue, its environment, and what it reads and writes."
  type        = string
}

variable "log_retention_days" {
  description = "Days that its logs are kept for."
  type        = number
}

variable "alarm_on_errors" {
  description = "Whether an invocation that fails raises an alarm."
  type        = bool
}

variable "alarm_on_dead_letters" {
  description = "Whether an event that could not be handled raises an alarm."
  type        = bool
}

variable "alarm_actions" {
  description = "ARNs that its alarms are sent to."
  type        = list(string)
}

variable "accounts" {
  description = "The accounts that it serves; null if it reads no credentials."
  type        = list(string)
}

variable "has_extension" {
  description = "Whether an extension reads the credentials in its place."
  type        = bool
}

variable "shared_with_writer" {
  description = "Whether a function that writes has the same credentials, though this one only reads."
  type        = bool
}
