variable "name" {
  description = "Name of the bucket. S3 allows dots too, but they break TLS."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name)) && !can(regex("^(xn--|sthree-|amzn-s3-demo-)|(-s3alias|--ol-s3|--x-s3|--table-s3)$", var.name))
    error_message = "The name of a bucket has 3 to 63 lower-case letters, digits and hyphens, no hyphen first or last, and none of the prefixes and suffixes that S3 keeps for itself."
  }
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
