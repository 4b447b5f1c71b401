variable "name" {
  description = "Name of the bucket."
  type        = string
}

variable "kms_key_arn" {
  description = "ARN of the key that encrypts it; null for a key of S3's own, which access logs need."
  type        = string
}

variable "force_destroy" {
  description = "Whether it may be deleted with all that is in it."
  type        = bool
}

variable "log_bucket" {
  description = "Name of the bucket that says who read what; null for that bucket itself."
  type        = string
}

variable "is_log_bucket" {
  description = "Whether it is the bucket that S3 writes access logs to."
  type        = bool
  default     = false
}

variable "retention_days" {
  description = "Days after which objects are removed; null keeps them."
  type        = number
  default     = null
}

variable "retention_prefixes" {
  description = "Which objects these are, by what their keys begin with."
  type        = list(string)
  default     = []
}

variable "noncurrent_days" {
  description = "Days that removed and replaced versions are kept for."
  type        = number
}
