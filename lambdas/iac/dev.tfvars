# terraform apply -var-file=dev.tfvars
region   = "us-east-1"
prefix   = "circulate-dev"
accounts = { okta = ["practice"] }

integration_retention_days = 7
log_retention_days         = 30
# So that `terraform destroy` can.
deletion_protection = false
