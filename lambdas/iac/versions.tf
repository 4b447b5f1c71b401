terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.87, < 7"
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = merge({ application = "circulate", deployment = var.prefix }, var.tags)
  }
}
