# What the signer may do in Vault, and nothing else: make keys that never leave, read their public halves, sign.
# "+" is exactly one part of a path, so that .../config, .../rotate, .../export and .../trim stay closed.

path "transit/keys/+" {
  capabilities       = ["create", "read", "update"]
  allowed_parameters = {
    "type"                   = ["ed25519"]
    "exportable"             = [false]
    "allow_plaintext_backup" = [false]
  }
  required_parameters = ["type"]
}

path "transit/sign/+" {
  capabilities       = ["create", "update"]
  allowed_parameters = {
    "batch_input" = []
    "input"       = []
    "key_version" = []
  }
}

path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/renew-self" {
  capabilities = ["create", "update"]
}
