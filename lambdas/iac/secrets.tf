# One secret for each account and kind of credentials. Terraform makes them empty: values never come near its state. The output
# `secrets_to_fill` has the commands that fill them.

resource "aws_secretsmanager_secret" "credentials" {
  for_each = local.secrets

  # checkov:skip=CKV2_AWS_57: the API's owner makes and ends these credentials; a changed secret is read again at the next refusal
  name        = "${var.prefix}/${each.key}"
  description = "Credentials of ${each.value.source} for the account ${each.value.account}: a JSON object of texts"
  kms_key_id  = local.kms_key_arn

  # Without protection nothing is kept, and the name is free again at once.
  recovery_window_in_days = var.deletion_protection ? 30 : 0

  tags = { source = each.value.source, account = each.value.account }
}
