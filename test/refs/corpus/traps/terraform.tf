resource "google_compute_instance" "vm" {
  boot_disk { initialize_params { image = "debian-cloud/debian-12" } }
}
