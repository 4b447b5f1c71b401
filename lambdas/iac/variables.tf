variable "region" {
  description = "AWS region that everything is made in."
  type        = string
}

variable "prefix" {
  description = "What the names of all resources begin with. Two deployments in one AWS account need two."
  type        = string
  default     = "circulate"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,22}$", var.prefix)) && !endswith(var.prefix, "-") && !strcontains(var.prefix, "--")
    error_message = "The prefix has 3 to 23 lower-case letters, digits and single hyphens, a letter first and no hyphen last: it begins the names of buckets."
  }
}

variable "accounts" {
  description = "Names of the accounts to pull from, by source: { okta = [\"acme\", \"emea\"] }. Each has a secret, and a part of the lake of its own."
  type        = map(list(string))

  validation {
    condition     = alltrue(flatten([for names in values(var.accounts) : [for name in names : can(regex("^[A-Za-z0-9][A-Za-z0-9.-]{0,62}$", name))]]))
    error_message = "The name of an account has 1 to 63 letters, digits, dots and hyphens, a letter or digit first."
  }

  validation {
    condition     = alltrue([for names in values(var.accounts) : length(names) == length(distinct(names))])
    error_message = "The accounts of a source have different names."
  }
}

variable "sources" {
  description = "The shipped sources whose functions are deployed. Those of sources of your own are deployed anyway."
  type        = list(string)
  default     = ["okta"]
}

variable "write_operations" {
  description = "Operations that write whose functions are deployed, such as [\"okta.users.suspend\"]: none unless it is named. Those that read are deployed with their source."
  type        = list(string)
  default     = []
}

variable "playbooks" {
  description = "Playbooks that are deployed, such as [\"contain_account\"]: each is a state machine, and one more that undoes it. `write_operations` names the operations that these call."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.playbooks : can(regex("^[a-z][a-z0-9_]*$", name))])
    error_message = "The name of a playbook has lower-case letters, digits and underscores, a letter first, such as contain_account."
  }
}

variable "integration_bucket" {
  description = "Name of the bucket that is pulled into. Default: {prefix}-integration-{AWS account}-{region}."
  type        = string
  default     = null
}

variable "data_bucket" {
  description = "Name of the bucket that complete runs are brought to, and that people read. Default: {prefix}-data-{AWS account}-{region}."
  type        = string
  default     = null
}

variable "integration_retention_days" {
  description = "Days after which what was pulled is removed from the integration bucket. Manifests stay. A run that takes longer loses its first objects; a pending run is given up after one day."
  type        = number
  default     = 30

  validation {
    condition     = var.integration_retention_days >= 2 && floor(var.integration_retention_days) == var.integration_retention_days
    error_message = "What was pulled must be kept for at least 2 whole days: a pending run may wait for one."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept for; one of the periods that CloudWatch Logs has."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch Logs keeps logs for 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653 days."
  }
}

variable "deletion_protection" {
  description = "Whether the state table, the ledger, the key and buckets that hold something refuse to be deleted, and secrets can be had back for 30 days."
  type        = bool
  default     = true
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts everything. Its policy must allow what kms.tf allows. Default: one is made. Choose before the first apply: what is there stays encrypted with the key that it was written with."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "It is the ARN of a key, arn:aws:kms:...:key/...: policies take no alias."
  }
}

variable "paused" {
  description = "Whether schedules stand still: until the secrets are filled, or while something is looked into."
  type        = bool
  default     = false
}

variable "alarm_actions" {
  description = "ARNs that alarms are sent to, such as an SNS topic's."
  type        = list(string)
  default     = []
}

variable "compact" {
  description = "Whether the data bucket gets objects of 64 to 128 MB, a record a line, instead of copies of what was pulled."
  type        = bool
  default     = false
}

variable "athena" {
  description = "Whether runs in the data bucket are registered in tables of the Glue Data Catalog, for Athena."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
