// A picture on the clipboard is put into the page's own uploader, so it goes the same way as a file that was chosen there.
export default function () {
  const receive = (event) => {
    const pictures = [...(event.clipboardData?.files ?? [])].filter((file) => file.type.startsWith("image/"));
    const uploader = document.querySelector('[data-testid="stFileUploader"] input[type="file"]');
    if (!pictures.length || !uploader) return;
    event.preventDefault();
    const transfer = new DataTransfer();
    pictures.forEach((file) => transfer.items.add(file));
    uploader.files = transfer.files;
    uploader.dispatchEvent(new Event("change", { bubbles: true }));
  };
  document.addEventListener("paste", receive);
  return () => document.removeEventListener("paste", receive);
}
